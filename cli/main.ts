// The executable's entry: runs the command line of this process and turns what was thrown into one line and an exit code.
import { isAppError, messageOf } from '../shared/errors/app-error.js';
import { exitCodeOf } from './exit-codes.js';
import type { Io } from './io.js';
import { runCommandLine } from './program.js';

/** Runs the command line; resolves to the exit code and never rejects. */
export async function main(args: readonly string[], io: Io): Promise<number> {
  try {
    return await runCommandLine(args, io);
  } catch (error) {
    io.stderr.write(`clusterflux: ${oneLine(messageOf(error))}\n`);
    const isUnexpected = !isAppError(error);
    if (args.includes('--debug')) io.stderr.write(`${stackOf(error)}\n`);
    else if (isUnexpected)
      io.stderr.write(
        'clusterflux: this was not expected; run it again with --debug and report what it says\n',
      );
    return exitCodeOf(error);
  }
}

/** Called by bin/clusterflux. Ends the process: a command is over when its function is, whatever sockets are still open. */
export async function runFromProcess(): Promise<void> {
  // `clusterflux nodes list | head -1` closes our output early; that is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  const { stdout, stderr, env } = process;
  const io: Io = { stdout, stderr, env, directory: process.cwd(), host: process };
  const exitCode = await main(process.argv.slice(2), io);
  stdout.write('', () => {
    process.exit(exitCode);
  });
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by ${stackOf(error.cause)}`;
}
