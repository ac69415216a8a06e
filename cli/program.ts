// The command line as a whole: global flags, errors, exit codes. The commands' names and flags are in tree/; what they do is
// in commands/, loaded only when they run, so that a command does not pay for the libraries of the others.
import { Command, CommanderError } from 'commander';
import { parseDuration } from '../shared/config/units.js';
import { AppError } from '../shared/errors/app-error.js';
import type { GlobalOptions } from './context.js';
import { EXIT } from './exit-codes.js';
import type { Io } from './io.js';
import type { Binder, Result } from './tree/binder.js';
import { addConfigCommands } from './tree/config.js';
import { addHandoffCommands } from './tree/handoff.js';
import { addMetadataCommands } from './tree/metadata.js';
import { addOrderCommands } from './tree/orders.js';
import { addPrograms } from './tree/programs.js';
import { addRegistryCommands } from './tree/registry.js';
import { addShardCommands } from './tree/shards.js';

/** Long enough for a manager that must first ask a slow etcd, short enough for a person who waits. */
const DEFAULT_TIMEOUT = '10s';

/** Runs a command line (without node and program). Resolves to the exit code; throws what the command throws. */
export async function runCommandLine(args: readonly string[], io: Io): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = buildProgram(io, (result) => {
    exitCode = result ?? EXIT.ok;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    // Help and --version end by this too, with 0; all others are wrong use, and were already said on stderr.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
  return exitCode;
}

function buildProgram(io: Io, done: (result: Result) => void): Command {
  const program = new Command('clusterflux')
    .description('Turns ordinary, unmodified InfluxDB 1.x servers into one cluster.')
    .option(
      '--config <file>',
      'configuration file; else ./, $HOME/.clusterflux/, /etc/clusterflux/ config.toml',
    )
    .option('--manager <url>', 'the manager to ask; else agent.endpoints of the configuration')
    .option('--token-file <file>', 'the token to show the manager; else agent.token-file')
    .option('--timeout <duration>', 'how long a command waits for an answer', DEFAULT_TIMEOUT)
    .option(
      '-o, --output <format>',
      'table for people, wide for more columns, json for programs',
      'table',
    )
    .option('--debug', 'shows where an error came from')
    .option('--no-color', 'accepted for scripts; nothing is coloured')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => {
        write(`clusterflux: ${text.replace(/^error: /, '')}`);
      },
    })
    .showHelpAfterError("(add --help for the command's flags and an example)")
    .exitOverride();

  const on: Binder = (command, example, action) => {
    command.addHelpText('after', `\nExample:\n  ${example}\n`);
    command.action(async (...values: unknown[]) => {
      // commander passes the arguments, then the options, then the command.
      const args = values.slice(0, -2).filter((value) => value !== undefined) as string[];
      done(await action({ io, options: globalOptions(program) }, command, args));
    });
  };
  addPrograms(program, on);
  addRegistryCommands(program, on);
  addMetadataCommands(program, on);
  addShardCommands(program, on);
  addOrderCommands(program, on);
  addHandoffCommands(program, on);
  addConfigCommands(program, on);
  program.addHelpText('after', EXIT_CODES);
  return program;
}

function globalOptions(program: Command): GlobalOptions {
  const given = program.opts<{
    config?: string;
    manager?: string;
    tokenFile?: string;
    timeout: string;
    output: string;
    debug?: true;
  }>();
  const timeoutMs = parseDuration(given.timeout);
  if (timeoutMs === undefined || timeoutMs === 0) {
    throw new AppError('usage', `--timeout takes a duration such as 10s, got "${given.timeout}"`);
  }
  if (given.output !== 'table' && given.output !== 'wide' && given.output !== 'json') {
    throw new AppError('usage', `--output takes table, wide or json, got "${given.output}"`);
  }
  const { config, manager, tokenFile, output, debug = false } = given;
  return { config, manager, tokenFile, timeoutMs, output, debug };
}

const EXIT_CODES = `
Exit codes: 0 ok, 1 failed, 2 wrong use or configuration, 3 unhealthy, 4 manager unreachable, 5 conflict, 6 not found,
7 not authorised, 8 timeout, 130 interrupted.
`;
