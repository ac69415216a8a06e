// Takes what a store has out of it, into a file or a stream. Managers over etcd may go on working meanwhile: all is read at
// one revision. It changes nothing.
import type { Keys } from '../keys.js';
import type { Store } from '../port.js';
import { closedError, readClosed } from './closed.js';
import { contentsOf } from './contents.js';
import { writeDumpFile, type WriteLine } from './dump-file.js';
import { DumpWriter } from './dump-format.js';

export interface DumpOptions {
  readonly store: Store;
  readonly keys: Keys;
  /** A file, or who takes the lines. */
  readonly to: string | WriteLine;
  /** ISO 8601. */
  readonly at: string;
  readonly signal: AbortSignal;
}

export interface Dumped {
  readonly keys: number;
  readonly revision: number;
}

/** Throws AppError `store-closed` (a half-filled store), `state-unwritable`, and what the store throws. */
export async function dumpStore(options: DumpOptions): Promise<Dumped> {
  const { store, keys, to, at, signal } = options;
  const closed = await readClosed(store, keys, signal);
  if (closed?.why === 'filling') throw closedError(store, closed);
  let dumped: Dumped = { keys: 0, revision: 0 };
  const write = async (line: WriteLine) => {
    const { revision, pages } = await contentsOf(store, keys, signal);
    const writer = new DumpWriter();
    let count = 0;
    await line(writer.header({ created: at, source: store.location, revision }));
    for await (const page of pages) {
      for (const entry of page) await line(writer.entry(entry));
      count += page.length;
    }
    await line(writer.trailer());
    dumped = { keys: count, revision };
  };
  await (typeof to === 'string' ? writeDumpFile(to, write) : write(to));
  return dumped;
}
