// Thousands of waiting readers, spread over processes: one process has neither the ports nor the descriptors for all.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { OpenMessage, ReaderMessage } from './reader-process.js';

/** Also so that they have a share of the processor; more would take it from the manager. */
export const PROCESSES = 4;
const PROGRAM = fileURLToPath(new URL('reader-process.ts', import.meta.url));
const OPEN_WITHIN_MS = 60_000;
const RECEIVED_WITHIN_MS = 60_000;

export class Readers {
  private constructor(private readonly children: readonly ChildProcess[]) {}

  /** Resolves when all connections stand and have sent their first read. */
  static async open(message: Omit<OpenMessage, 'count'>, count: number): Promise<Readers> {
    const children = Array.from({ length: PROCESSES }, () =>
      fork(PROGRAM, { execArgv: ['--import', 'tsx'] }),
    );
    const readers = new Readers(children);
    try {
      const opened = readers.all('open', OPEN_WITHIN_MS, () => true);
      for (const child of children) child.send({ ...message, count: count / PROCESSES });
      await opened;
      return readers;
    } catch (error) {
      await readers.close();
      throw error;
    }
  }

  /** Resolves to the moment (ns, monotonic) at which the last reader had this version. Ask before it is written. */
  async received(version: number): Promise<bigint> {
    const messages = await this.all(
      'received',
      RECEIVED_WITHIN_MS,
      (message) => message.version === version,
    );
    return messages.reduce((last, { atNs }) => (BigInt(atNs) > last ? BigInt(atNs) : last), 0n);
  }

  async close(): Promise<void> {
    await Promise.all(
      this.children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }),
    );
  }

  /** One fitting message from each process. */
  private all<K extends ReaderMessage['kind']>(
    kind: K,
    withinMs: number,
    fits: (message: Extract<ReaderMessage, { kind: K }>) => boolean,
  ): Promise<Extract<ReaderMessage, { kind: K }>[]> {
    return Promise.all(this.children.map((child) => messageOf(child, kind, withinMs, fits)));
  }
}

function messageOf<K extends ReaderMessage['kind']>(
  child: ChildProcess,
  kind: K,
  withinMs: number,
  fits: (message: Extract<ReaderMessage, { kind: K }>) => boolean,
): Promise<Extract<ReaderMessage, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      child.off('message', take);
      child.off('exit', gone);
    };
    const fail = (reason: string): void => {
      end();
      reject(new Error(`a process of readers, waiting for "${kind}": ${reason}`));
    };
    const take = (message: ReaderMessage): void => {
      if (message.kind === 'failed') return fail(message.reason);
      if (message.kind !== kind) return;
      const expected = message as Extract<ReaderMessage, { kind: K }>;
      if (!fits(expected)) return;
      end();
      resolve(expected);
    };
    const gone = (): void => fail('it ended');
    const timer = setTimeout(() => fail(`nothing within ${withinMs} ms`), withinMs);
    child.on('message', take);
    child.once('exit', gone);
  });
}
