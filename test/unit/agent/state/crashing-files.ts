// A file system for tests that stops at the n-th step, and a disk that keeps of it what an adversary chooses: what was
// fsynced is there, what was not may be there, in part, or not at all.
import type { JournalFile, JournalFiles } from '../../../../agent/state/journal-files.js';

interface Inode {
  durable: Buffer;
  volatile: Buffer;
}

/**
 * What becomes of content and renames that were not fsynced. `torn`: half of the new bytes arrive; `process`: only the
 * process died, so everything is there, and still not durable.
 */
export type Survival = 'lost' | 'kept' | 'torn' | 'process';

export class Crash extends Error {}

export class CrashingFiles {
  private names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  private steps = 0;
  private life = 0;
  private crashAt = Infinity;
  /** Steps that fail, as with a full disk, without a crash. */
  failing: Partial<Record<'write' | 'writeDurably' | 'sync' | 'rename', boolean>> = {};

  /** The step, counted from now, at which the machine stops; a write that it hits is done in part. */
  crashAfter(steps: number): void {
    this.crashAt = this.steps + steps;
  }

  /** The file system as one process sees it; after a restart that process is dead and gets nothing done. */
  mount(): JournalFiles {
    const life = this.life;
    const living = <T extends unknown[], R>(call: (...args: T) => Promise<R>) => {
      return (...args: T): Promise<R> =>
        life === this.life ? call(...args) : Promise.reject(new Crash('this process is dead'));
    };
    return {
      read: living((path: string) => this.read(path)),
      writeDurably: living((path: string, bytes: Uint8Array) => this.writeDurably(path, bytes)),
      rename: living((from: string, to: string) => this.rename(from, to)),
      syncDirectory: living(() => this.syncDirectory()),
      open: living(async (path: string) => {
        const file = await this.open(path);
        return {
          write: living((bytes: Uint8Array, position: number) => file.write(bytes, position)),
          truncate: living((length: number) => file.truncate(length)),
          sync: living(() => file.sync()),
          close: () => file.close(),
        };
      }),
    };
  }

  /** The machine comes back with what survived. */
  restart(survival: Survival): void {
    this.life += 1;
    this.crashAt = Infinity;
    if (survival === 'process') return;
    const names = survival === 'lost' ? this.durableNames : this.names;
    for (const inode of new Set([...names.values(), ...this.durableNames.values()])) {
      inode.durable = survive(inode, survival);
      inode.volatile = inode.durable;
    }
    this.names = new Map(names);
    this.durableNames = new Map(names);
  }

  private async read(path: string): Promise<Buffer | undefined> {
    return this.names.get(path)?.volatile;
  }

  private async writeDurably(path: string, bytes: Uint8Array): Promise<void> {
    // As on a real disk, the old content of that name is overwritten in place.
    const inode = this.names.get(path) ?? { durable: Buffer.alloc(0), volatile: Buffer.alloc(0) };
    this.names.set(path, inode);
    this.step(
      'writeDurably',
      () => (inode.volatile = Buffer.from(bytes.subarray(0, bytes.length / 2))),
    );
    inode.volatile = Buffer.from(bytes);
    inode.durable = inode.volatile;
  }

  private async rename(from: string, to: string): Promise<void> {
    this.step('rename');
    const inode = this.names.get(from);
    if (!inode) throw new Error(`no file ${from}`);
    this.names.delete(from);
    this.names.set(to, inode);
  }

  private async syncDirectory(): Promise<void> {
    this.step('sync');
    this.durableNames = new Map(this.names);
  }

  private async open(path: string): Promise<JournalFile> {
    const inode = this.names.get(path);
    if (!inode) throw new Error(`no file ${path}`);
    const put = (bytes: Uint8Array, position: number) => {
      inode.volatile = Buffer.concat([inode.volatile.subarray(0, position), bytes]);
    };
    return {
      write: async (bytes, position) => {
        this.step('write', () => {
          put(bytes.subarray(0, bytes.length / 2), position);
        });
        put(bytes, position);
      },
      truncate: async (length) => {
        this.step();
        inode.volatile = inode.volatile.subarray(0, length);
      },
      sync: async () => {
        this.step('sync');
        inode.durable = inode.volatile;
      },
      close: async () => undefined,
    };
  }

  private step(kind?: keyof CrashingFiles['failing'], inPart?: () => void): void {
    if (this.steps >= this.crashAt) throw new Crash('the machine is off');
    this.steps += 1;
    if (this.steps === this.crashAt) {
      inPart?.();
      throw new Crash('the machine went off');
    }
    if (kind && this.failing[kind] === true) {
      inPart?.();
      throw new Error('ENOSPC: no space left on device');
    }
  }
}

function survive({ durable, volatile }: Inode, survival: Survival): Buffer {
  if (survival === 'lost') return durable;
  if (survival === 'kept') return volatile;
  const kept = durable.length + Math.ceil(Math.max(0, volatile.length - durable.length) / 2);
  return volatile.length < durable.length ? volatile : volatile.subarray(0, kept);
}
