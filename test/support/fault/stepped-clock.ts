// A wall clock that jumps while a process runs: libfaketime, which Debian has and `make deps` unpacks. Its monotonic clock goes
// on as it was, as when a person or NTP sets the time. Only programs that ask libc can be deceived: Node, and not influxd or etcd.
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../build.js';

const FOLDERS = ['/usr/lib', join(checkout, '.tools/usr/lib')];
const LIBRARY = 'faketime/libfaketimeMT.so.1';

export interface SteppedClock {
  /** For the start of a process. */
  readonly env: Readonly<Record<string, string>>;
  /** How far it is off from now on: `+1d`, `-1d`, `+0`. */
  step(offset: string): void;
}

/** Undefined where there is no libfaketime. `file`: holds the offset, and is not there yet. */
export function steppedClock(file: string): SteppedClock | undefined {
  const library = findLibrary();
  if (library === undefined) return undefined;
  const step = (offset: string) => {
    // By rename: a process that reads half an offset would have another one.
    writeFileSync(`${file}.new`, `${offset}\n`);
    renameSync(`${file}.new`, file);
  };
  step('+0');
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    step,
  };
}

function findLibrary(): string | undefined {
  return FOLDERS.flatMap((folder) => subfoldersOf(folder).map((each) => join(each, LIBRARY))).find(
    existsSync,
  );
}

function subfoldersOf(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return []; // Not every system has it.
  }
}
