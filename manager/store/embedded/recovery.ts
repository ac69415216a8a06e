// Brings an engine to what a directory holds: the newest snapshot, then the logs after it. A torn end of the last log is cut off;
// any other damage is refused, with everything left as it is.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../../shared/lifecycle/atomic-file.js';
import type { Engine } from '../memory/engine.js';
import { damaged, missing, readHeader } from './damage.js';
import { filePath, listFiles } from './files.js';
import { encodeFrame, scanFrames } from './frame.js';
import { decodeCommits, encodeHeader } from './records.js';
import { readSnapshot } from './snapshot-file.js';

/** Where the log goes on. */
export interface LogEnd {
  readonly generation: number;
  /** Bytes of whole frames; what lies behind them is a torn write and to be cut off before the next. */
  readonly wholeBytes: number;
  readonly isTorn: boolean;
}

const FIRST_GENERATION = 1;

/** Fills an empty engine. `nowMs` is the clock from which each lease gets one full TTL. */
export async function recover(directory: string, engine: Engine, nowMs: number): Promise<LogEnd> {
  const { logs, snapshots, unfinished } = await listFiles(directory);
  for (const name of unfinished) await rm(join(directory, name), { force: true });

  const snapshot = snapshots.at(-1);
  if (snapshot === undefined && logs.length === 0) await createLog(directory, FIRST_GENERATION);
  if (snapshot !== undefined) {
    engine.restore(await readSnapshot({ directory, generation: snapshot }), nowMs);
  }
  const first = snapshot ?? FIRST_GENERATION;
  const last = Math.max(first, logs.at(-1) ?? first);
  for (let generation = first; generation < last; generation++) {
    const end = await replayLog(directory, generation, engine, nowMs);
    // A log is whole on disk before the next one is made, so only the last can end in the middle of a write.
    if (end.isTorn) throw damaged(filePath(directory, 'log', generation), end.wholeBytes);
  }
  return await replayLog(directory, last, engine, nowMs);
}

/** Makes an empty log; under its name it has its header or does not exist. */
export async function createLog(directory: string, generation: number): Promise<number> {
  const header = encodeFrame(encodeHeader('log', generation));
  await writeFileAtomically(filePath(directory, 'log', generation), header);
  return header.length;
}

async function replayLog(
  directory: string,
  generation: number,
  engine: Engine,
  nowMs: number,
): Promise<LogEnd> {
  const path = filePath(directory, 'log', generation);
  const { payloads, wholeBytes, ending } = scanFrames(await readLog(path));
  readHeader(payloads[0], path, { file: 'log', generation });
  if (ending === 'damaged') throw damaged(path, wholeBytes);
  for (const payload of payloads.slice(1)) {
    for (const commit of decodeCommits(payload)) engine.apply(commit, nowMs);
  }
  return { generation, wholeBytes, isTorn: ending === 'torn' };
}

async function readLog(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw missing(path);
    throw error;
  }
}
