// config print, check, sample. They read and print; nothing is started or changed.
import type { Command } from 'commander';
import { assertMayListen, mayListenWide } from '../../shared/config/checks.js';
import { printable } from '../../shared/config/print.js';
import { sampleToml } from '../../shared/config/sample.js';
import { loadFor } from '../config-flags.js';
import { print, say, type Context } from '../context.js';
import { renderTable } from '../output/table.js';

export async function configPrint(context: Context, command: Command): Promise<undefined> {
  const loaded = loadFor(context, command, []);
  say(
    context,
    loaded.file === undefined ? 'no configuration file' : `configuration file ${loaded.file}`,
  );
  for (const warning of loaded.warnings) say(context, `warning: ${warning}`);
  print(context, printable(loaded.values), (values) =>
    renderTable(values, [
      { title: 'key', value: (row) => row.key },
      {
        title: 'value',
        value: (row) => (row.value === null ? undefined : JSON.stringify(row.value)),
      },
      { title: 'source', value: (row) => row.source },
    ]),
  );
  return undefined;
}

/** Also tells what a program would refuse only when it starts. */
export async function configCheck(context: Context, command: Command): Promise<undefined> {
  const { config, file, warnings } = loadFor(context, command, []);
  assertMayListen(
    'manager.bind-address',
    config.manager.bindAddress,
    mayListenWide(config.manager),
  );
  assertMayListen('agent.bind-address', config.agent.bindAddress, config.agent.insecure);
  for (const warning of warnings) say(context, `warning: ${warning}`);
  print(context, { file: file ?? null, valid: true, warnings }, () =>
    file === undefined
      ? 'no configuration file; the defaults and the environment are valid'
      : `${file} is valid`,
  );
  return undefined;
}

export async function configSample(context: Context): Promise<undefined> {
  context.io.stdout.write(sampleToml());
  return undefined;
}
