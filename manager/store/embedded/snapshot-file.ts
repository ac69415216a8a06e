// Writes and reads snapshots: the whole state in one file, so that the log before it can be dropped.
// A snapshot that is there under its name is whole; an unfinished one has another name.
import { open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { syncDirectory } from '../../../shared/lifecycle/atomic-file.js';
import { AppError } from '../../../shared/errors/app-error.js';
import type { EngineState } from '../memory/engine.js';
import type { Entry } from '../port.js';
import { damaged, readHeader } from './damage.js';
import { filePath, TEMPORARY_SUFFIX } from './files.js';
import { encodeFrame, scanFrames } from './frame.js';
import { decodeStates, encodeHeader, encodeState } from './records.js';

/** Entries are written in frames of about this size, so that a large state neither blocks the loop nor doubles in memory. */
const FRAME_BYTES = 1024 * 1024;

export interface SnapshotTarget {
  readonly directory: string;
  readonly generation: number;
}

/** Writes the state beside the target, syncs it, and gives it its name. Ends early, without a file, where `signal` is aborted. */
export async function writeSnapshot(
  target: SnapshotTarget,
  state: EngineState,
  signal: AbortSignal,
): Promise<void> {
  const path = filePath(target.directory, 'snapshot', target.generation);
  const temporary = `${path}${TEMPORARY_SUFFIX}`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await writeFrames(file, target.generation, state, signal);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(target.directory);
}

async function writeFrames(
  file: FileHandle,
  generation: number,
  state: EngineState,
  signal: AbortSignal,
): Promise<void> {
  await file.appendFile(encodeFrame(encodeHeader('snapshot', generation)));
  for (const part of partsOf(state)) {
    if (signal.aborted)
      throw new AppError('aborted', 'writing a snapshot was ended because the store closes');
    await file.appendFile(encodeFrame(encodeState(part)));
  }
}

/** The leases come with the first part, before any entry that refers to them; there is always at least one part. */
function* partsOf(state: EngineState): Generator<EngineState> {
  const { revision } = state;
  let entries: Entry[] = [];
  let bytes = 0;
  yield { revision, leases: state.leases, entries };
  for (const entry of state.entries) {
    entries.push(entry);
    bytes += entry.key.length + entry.value.length;
    if (bytes < FRAME_BYTES) continue;
    yield { revision, leases: [], entries };
    entries = [];
    bytes = 0;
  }
  if (entries.length > 0) yield { revision, leases: [], entries };
}

/** The state in a snapshot. Throws AppError `store-format-unknown` where it is of another format or damaged. */
export async function readSnapshot(target: SnapshotTarget): Promise<EngineState> {
  const path = filePath(target.directory, 'snapshot', target.generation);
  const { payloads, wholeBytes, ending } = scanFrames(await readFile(path));
  readHeader(payloads[0], path, { file: 'snapshot', generation: target.generation });
  const parts = payloads.slice(1).flatMap((payload) => [...decodeStates(payload)]);
  const first = parts[0];
  if (ending !== 'clean' || first === undefined) throw damaged(path, wholeBytes);
  return { ...first, entries: parts.flatMap((part) => part.entries) };
}
