// How many connections this machine allows a process, which decides how many readers a bench can have.
import { readFile } from 'node:fs/promises';

/** For everything in a process that is no reader: its own files, the store, heartbeats. */
const RESERVED = 1_000;

/** As many readers as wanted, or as the limit of open files allows one manager; a multiple of `unit`. */
export async function affordableReaders(wanted: number, unit: number): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  // Node raises the soft limit to the hard one at start, for itself and so for what it starts.
  const limit = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  const affordable = limit === undefined ? wanted : Math.min(wanted, Number(limit) - RESERVED);
  if (affordable < unit)
    throw new Error(`the limit of open files (${limit}) is too low: ulimit -n 11000`);
  return Math.floor(affordable / unit) * unit;
}
