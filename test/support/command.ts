// Runs one command of the command line to its end, as a person or a script does, in an environment without settings of ours.
import { spawn } from 'node:child_process';
import { killAtExit } from './at-exit.js';

export interface CommandOptions {
  readonly launcher: string;
  readonly cwd: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Killed after this time; 30 s where absent. */
  readonly withinMs?: number;
}

export interface CommandResult {
  /** null where it was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const WITHIN_MS = 30_000;

/** Never rejects for an exit code; that is part of the result. */
export async function runCommand(
  args: readonly string[],
  { launcher, cwd, env, withinMs = WITHIN_MS }: CommandOptions,
): Promise<CommandResult> {
  const child = spawn(process.execPath, [launcher, ...args], {
    cwd,
    env: { ...cleanEnvironment(cwd), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: withinMs,
    killSignal: 'SIGKILL',
  });
  killAtExit(child);
  const [stdout, stderr, code] = await Promise.all([
    collect(child.stdout),
    collect(child.stderr),
    new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    }),
  ]);
  return { code, stdout, stderr };
}

/** This process's environment without what the caller's shell says of ClusterFlux or Node; `home` has no configuration file. */
export function cleanEnvironment(home: string): Record<string, string | undefined> {
  const entries = Object.entries(process.env).filter(
    ([name]) => !/^(CLUSTERFLUX_|CLUSTER$|CFLUX_ENDPOINT$|NODE_|STATE_DIRECTORY$)/.test(name),
  );
  return { ...Object.fromEntries(entries), HOME: home };
}

async function collect(stream: NodeJS.ReadableStream): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}
