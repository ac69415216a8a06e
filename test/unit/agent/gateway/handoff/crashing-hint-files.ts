// A file system for tests of the hint log that stops at the n-th step, and a disk that keeps of it what an adversary
// chooses: what was fsynced is there, what was not may be there, in part, or not at all.
import { dirname } from 'node:path';
import type { HintFile, HintFiles } from '../../../../../agent/gateway/handoff/hint-files.js';

interface Inode {
  durable: Buffer;
  volatile: Buffer;
}

/** What becomes of content and names that were not fsynced; `process`: only the process died. */
export type Survival = 'lost' | 'kept' | 'torn' | 'process';

export class Crash extends Error {}

export class CrashingHintFiles {
  private names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  private readonly directories = new Set<string>();
  private life = 0;
  private crashAt = Infinity;
  steps = 0;
  syncs = 0;
  freeBytes = Number.MAX_SAFE_INTEGER;
  /** Steps that fail, as with a full disk, without a crash. */
  failing: 'write' | 'sync' | undefined;
  /** Called before each fsync of a file: lets tests see what is written together. */
  onSync: () => Promise<void> = async () => undefined;

  crashAfter(steps: number): void {
    this.crashAt = this.steps + steps;
  }

  /** The files as one process sees them; after a restart that process is dead and gets nothing done. */
  mount(): HintFiles {
    const life = this.life;
    const alive = (): void => {
      if (life !== this.life) throw new Crash('this process is dead');
    };
    return {
      makeDirectory: async (path) => {
        alive();
        this.directories.add(path);
      },
      list: async (path) => {
        alive();
        if (!this.directories.has(path)) return undefined;
        const inside = [...this.names.keys(), ...this.directories].filter(
          (name) => dirname(name) === path,
        );
        return inside.map((name) => name.slice(path.length + 1)).sort();
      },
      size: async (path) => (alive(), this.names.get(path)?.volatile.length),
      read: async (path) => (alive(), this.names.get(path)?.volatile),
      writeDurably: async (path, bytes) => {
        alive();
        const inode = this.inode(path);
        this.step('write', () => (inode.volatile = half(bytes)));
        inode.volatile = Buffer.from(bytes);
        inode.durable = inode.volatile;
      },
      rename: async (from, to) => {
        alive();
        this.step();
        const inode = this.names.get(from);
        if (inode === undefined) throw new Error(`no file ${from}`);
        this.names.delete(from);
        this.names.set(to, inode);
      },
      remove: async (path) => {
        alive();
        this.step();
        this.remove(path);
      },
      syncDirectory: async () => {
        alive();
        this.step('sync');
        this.durableNames = new Map(this.names);
      },
      open: async (path, create) => (alive(), this.open(path, create, alive)),
      freeBytes: async () => this.freeBytes,
    };
  }

  /** The machine comes back with what survived. */
  restart(survival: Survival): void {
    this.life += 1;
    this.crashAt = Infinity;
    this.failing = undefined;
    if (survival === 'process') return;
    const names = survival === 'lost' ? this.durableNames : this.names;
    for (const inode of new Set([...this.names.values(), ...this.durableNames.values()])) {
      inode.durable = survive(inode, survival);
      inode.volatile = inode.durable;
    }
    this.names = new Map(names);
    this.durableNames = new Map(names);
  }

  /** Takes a file or a directory away, as a person would. */
  remove(path: string): void {
    this.directories.delete(path);
    for (const name of this.names.keys()) {
      if (name === path || name.startsWith(`${path}/`)) this.names.delete(name);
    }
  }

  paths(end = ''): string[] {
    return [...this.names.keys()].filter((name) => name.endsWith(end)).sort();
  }

  content(path: string): Buffer {
    return this.names.get(path)?.volatile ?? Buffer.alloc(0);
  }

  overwrite(path: string, change: (bytes: Buffer) => Buffer): void {
    const inode = this.inode(path);
    inode.volatile = change(Buffer.from(inode.volatile));
    inode.durable = inode.volatile;
  }

  private inode(path: string): Inode {
    const inode = this.names.get(path) ?? { durable: Buffer.alloc(0), volatile: Buffer.alloc(0) };
    this.names.set(path, inode);
    return inode;
  }

  private open(path: string, create: boolean, alive: () => void): HintFile {
    if (!this.names.has(path) && !create) {
      throw Object.assign(new Error(`no file ${path}`), { code: 'ENOENT' });
    }
    const inode = this.inode(path);
    const put = (bytes: Uint8Array, position: number): void => {
      const before = inode.volatile;
      const after = Buffer.alloc(Math.max(before.length, position + bytes.length));
      before.copy(after);
      after.set(bytes, position);
      inode.volatile = after;
    };
    return {
      read: async (into, position) => (alive(), inode.volatile.copy(into, 0, position)),
      write: async (parts, position) => {
        alive();
        const bytes = Buffer.concat(parts);
        this.step('write', () => {
          put(half(bytes), position);
        });
        put(bytes, position);
      },
      truncate: async (length) => {
        alive();
        this.step();
        inode.volatile = inode.volatile.subarray(0, length);
      },
      sync: async () => {
        await this.onSync();
        alive();
        this.step('sync');
        this.syncs += 1;
        inode.durable = inode.volatile;
      },
      close: async () => undefined,
    };
  }

  private step(kind?: 'write' | 'sync', inPart?: () => void): void {
    if (this.steps >= this.crashAt) throw new Crash('the machine is off');
    this.steps += 1;
    if (this.steps === this.crashAt) {
      inPart?.();
      throw new Crash('the machine went off');
    }
    if (kind !== undefined && kind === this.failing) {
      inPart?.();
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    }
  }
}

function half(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.subarray(0, Math.floor(bytes.length / 2)));
}

function survive({ durable, volatile }: Inode, survival: Survival): Buffer {
  if (survival === 'lost') return durable;
  if (survival === 'kept') return volatile;
  const kept = durable.length + Math.ceil(Math.max(0, volatile.length - durable.length) / 2);
  return volatile.length < durable.length ? volatile : volatile.subarray(0, kept);
}
