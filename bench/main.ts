// Runs benchmarks and prints their tables. usage: main.ts [--write] [--scale 0.1] [name …]; without a name all of them.
// It judges figures against the aims and never fails because of them: a slow machine is no defect.
import { parseArgs } from 'node:util';
import { fanOut } from './fan-out.js';
import { footprint } from './footprint.js';
import { heartbeats } from './heartbeats.js';
import { hints } from './hints.js';
import { overload } from './overload.js';
import { propagation } from './propagation.js';
import { query } from './query.js';
import { Cleanup, type Bench } from './support/bench.js';
import { render, surroundings, writeIntoDocument } from './support/report.js';
import { write } from './write.js';
import { writeScan } from './write-scan.js';

const BENCHES: Readonly<Record<string, Bench>> = {
  propagation,
  'fan-out': fanOut,
  heartbeats,
  footprint,
  'write-scan': (options) => writeScan(options),
  write,
  query,
  hints,
  overload,
};

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The hooks on exit end all that was started.
  process.once(signal, () => process.exit(130));
}

const USAGE = 'usage: main.ts [--write] [--scale 0.1] [name …]';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: 'boolean', default: false }, scale: { type: 'string', default: '1' } },
});
const scale = Number(values.scale);
const names = positionals.length === 0 ? Object.keys(BENCHES) : positionals;
const fault = faultOf();
if (fault === undefined) {
  for (const name of names) await run(name, BENCHES[name] as Bench);
} else {
  console.error(`${fault}; ${USAGE}`);
  process.exitCode = 2;
}

function faultOf(): string | undefined {
  const unknown = names.find((name) => BENCHES[name] === undefined);
  if (unknown !== undefined) {
    return `no benchmark ${unknown}; there are ${Object.keys(BENCHES).join(', ')}`;
  }
  if (!(scale > 0 && scale <= 1)) return '--scale is above 0 and at most 1';
  return values.write && scale !== 1 ? '--write is for figures at full scale' : undefined;
}

async function run(name: string, bench: Bench): Promise<void> {
  const where = surroundings(name);
  console.log(`\n== ${name}`);
  const cleanup = new Cleanup();
  try {
    const text = `${where}\n\n${render(await bench({ scale }, cleanup))}`;
    console.log(text);
    if (values.write) await writeIntoDocument(name, text);
  } finally {
    await cleanup.run();
  }
}
