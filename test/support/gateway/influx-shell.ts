// InfluxDB's own shell, as a person uses it: `influx -execute ...` and `influx -import`.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { killAtExit } from '../at-exit.js';

export interface ShellResult {
  readonly code: number | null;
  readonly output: string;
}

const WITHIN_MS = 20_000;

/** Runs the shell against an endpoint; never rejects for an exit code. Throws where there is no shell. */
export async function influxShell(url: string, ...args: string[]): Promise<ShellResult> {
  const { hostname, port } = new URL(url);
  const child = spawn(findShell(), ['-host', hostname, '-port', port, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH },
    timeout: WITHIN_MS,
    killSignal: 'SIGKILL',
  });
  killAtExit(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece: Buffer) => (output += piece.toString('utf8')));
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, output };
}

/** In $PATH, else what `make deps` put into .tools. */
function findShell(): string {
  const unpacked = join(import.meta.dirname, '../../../.tools/usr/bin');
  const folders = [...(process.env.PATH ?? '').split(':'), unpacked];
  const shell = folders.map((folder) => join(folder, 'influx')).find((file) => existsSync(file));
  if (shell === undefined) throw new Error('no influx in $PATH or .tools/usr/bin: run `make deps`');
  return shell;
}
