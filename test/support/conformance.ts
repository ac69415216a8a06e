// Replays InfluxDB's own cases (test/conformance) against endpoints, strictly: at default settings, no retries, no pauses.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { killAtExit } from './at-exit.js';

const FOLDER = join(import.meta.dirname, '..', 'conformance');

/** influxd itself needs 4 s. */
const WITHIN_MS = 200_000;

export interface ReplayFailure {
  readonly id: string;
  readonly why: string;
  readonly q?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly expect?: string;
  readonly got?: string;
}

export interface Replayed {
  readonly seconds: number;
  readonly steps: { readonly pass: number; readonly fail: number; readonly skip: number };
  readonly cases: { readonly run: number; readonly passed: number };
  readonly warnings: readonly string[];
  readonly failures: readonly ReplayFailure[];
}

export interface ReplayOptions {
  /** What the servers run with, as the replayer names it: only the cases that are made for it are replayed. */
  readonly config?: string;
  /** Cases whose id matches. */
  readonly only?: string;
}

/** Requests go to the endpoints in turn. Rejects where the replayer could not run, not where cases fail. */
export async function replay(
  urls: readonly string[],
  { config, only }: ReplayOptions = {},
): Promise<Replayed> {
  const args = [
    join(FOLDER, 'replay.mjs'),
    ...['--cases', join(FOLDER, 'influxql-cases.json'), '--url', urls.join(','), '--json'],
    ...(config === undefined ? [] : ['--config', config]),
    ...(only === undefined ? [] : ['--only', only]),
  ];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: WITHIN_MS,
    killSignal: 'SIGKILL',
  });
  killAtExit(child);
  const pieces: Buffer[] = [];
  const complaints: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  child.stderr.on('data', (piece: Buffer) => complaints.push(piece));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0 && code !== 1) {
    throw new Error(`the replayer ended with ${code}: ${Buffer.concat(complaints).toString()}`);
  }
  return JSON.parse(Buffer.concat(pieces).toString('utf8')) as Replayed;
}

/** The failures as a person wants to read them. */
export function failuresText({ failures, steps, warnings }: Replayed): string {
  const shown = failures
    .slice(0, MOST_SHOWN)
    .map(({ id, why, q, params, expect, got }) =>
      [
        `${id}: ${why}`,
        `  ${q ?? ''} ${JSON.stringify(params ?? {})}`,
        ...(got === undefined ? [] : [`  expected ${brief(expect)}`, `  answered ${brief(got)}`]),
      ].join('\n'),
    );
  const sum = `${steps.pass} passed, ${steps.fail} failed, ${warnings.length} clean-ups failed`;
  return [sum, ...warnings.slice(0, 3), ...shown].join('\n');
}

const MOST_SHOWN = 15;
const MOST_CHARACTERS = 400;

function brief(text = ''): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}...` : text;
}
