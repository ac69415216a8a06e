// The embedded store and death: at every byte of its log, between any two steps of a new generation, and by a real kill -9.
import { spawn, type ChildProcess } from 'node:child_process';
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import fc from 'fast-check';
import { openEmbeddedStore } from '../../../../../manager/store/embedded/embedded-store.js';
import { filePath } from '../../../../../manager/store/embedded/files.js';
import { createLog, recover } from '../../../../../manager/store/embedded/recovery.js';
import { writeSnapshot } from '../../../../../manager/store/embedded/snapshot-file.js';
import { Engine, type EngineState } from '../../../../../manager/store/memory/engine.js';
import type { Operation, Store } from '../../../../../manager/store/port.js';
import { fakeClock } from '../../../../../shared/lifecycle/clock.js';
import { silentLogger } from '../../../../../shared/log/logger.js';
import { eventually } from '../../../../support/eventually.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../../support/temp-dir.js';

const operations: fc.Arbitrary<Operation[]> = fc.uniqueArray(
  fc.oneof(
    fc.record({
      put: fc.constantFrom('a', 'b', 'ü'),
      value: fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
    }),
    fc.record({ delete: fc.constantFrom('c', 'd') }),
  ),
  { maxLength: 3, selector: (operation) => ('put' in operation ? operation.put : '') },
);

describe('the embedded store after a crash', () => {
  let directories: TemporaryDirectory[] = [];
  const newDirectory = async (): Promise<string> => {
    const directory = await temporaryDirectory('crash');
    directories.push(directory);
    return directory.path;
  };
  const open = (directory: string, maxLogBytes?: number): Promise<Store> =>
    openEmbeddedStore({
      directory,
      logger: silentLogger(),
      clock: fakeClock(),
      ...(maxLogBytes === undefined ? {} : { maxLogBytes }),
    });

  afterEach(async () => {
    for (const directory of directories) await directory.remove();
    directories = [];
  });

  /** What a directory recovers to, without locking it. */
  const recovered = async (directory: string): Promise<EngineState> => {
    const engine = new Engine();
    await recover(directory, engine, 0);
    return engine.state();
  };

  /** Commits one transaction after the other; returns the state after each acknowledgement, the first before any. */
  const play = async (
    directory: string,
    script: readonly Operation[][],
  ): Promise<EngineState[]> => {
    const store = await open(directory);
    const states = [await recovered(directory)];
    for (const step of script) {
      await store.transact([], step);
      states.push(await recovered(directory));
    }
    await store.close();
    return states;
  };

  it('has exactly the acknowledged transactions before it, wherever the log ends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operations, { maxLength: 5 }), async (script) => {
        const states = await play(await newDirectory(), script);
        const log = await readFile(filePath(directories.at(-1)!.path, 'log', 1));
        const copy = await newDirectory();
        const path = filePath(copy, 'log', 1);
        await createLog(copy, 1);
        const headerBytes = (await readFile(path)).length;
        let known = 0;
        for (let length = headerBytes; length <= log.length; length++) {
          await writeFile(path, log.subarray(0, length));
          const state = await recovered(copy);
          // Never less than with a shorter log, and always one of the acknowledged states.
          while (known < states.length - 1 && !same(states[known]!, state)) known += 1;
          expect(same(states[known]!, state)).to.equal(true);
        }
        expect(same(states.at(-1)!, await recovered(copy))).to.equal(true);
      }),
      { numRuns: 8 },
    );
  });

  it('goes on writing behind a torn end as if it had never been', async () => {
    const directory = await newDirectory();
    await play(directory, [
      [{ put: 'a', value: Buffer.from('1') }],
      [{ put: 'b', value: Buffer.from('2') }],
    ]);
    const path = filePath(directory, 'log', 1);
    const log = await readFile(path);
    await writeFile(path, log.subarray(0, log.length - 3));
    const store = await open(directory);
    await store.transact([], [{ put: 'c', value: Buffer.from('3') }]);
    await store.close();
    expect((await recovered(directory)).entries.map(({ key }) => key)).to.deep.equal(['a', 'c']);
  });

  it('is whole between any two steps of a new generation', async () => {
    const directory = await newDirectory();
    const states = await play(directory, [
      [{ put: 'a', value: Buffer.from('1') }],
      [{ put: 'b', value: Buffer.from('2') }],
    ]);
    const expected = states.at(-1)!;
    const steps = [
      () => createLog(directory, 2),
      () => writeFile(join(directory, 'snapshot-0000000002.tmp'), 'half of a snapsh'),
      () => writeSnapshot({ directory, generation: 2 }, expected, new AbortController().signal),
      () => rm(filePath(directory, 'log', 1)),
    ];
    for (const step of steps) {
      await step();
      const copy = await newDirectory();
      await cp(directory, copy, { recursive: true });
      expect(same(await recovered(copy), expected)).to.equal(true);
      expect((await readdir(copy)).filter((name) => name.endsWith('.tmp'))).to.deep.equal([]);
    }
  });

  it('lost nothing over many generations with many writers at once', async () => {
    const directory = await newDirectory();
    const store = await open(directory, 2_000);
    const write = async (writer: number): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        await store.transact(
          [],
          [{ put: `${writer}/${i % 7}`, value: Buffer.alloc(40, String(i)) }],
        );
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
    const before = await store.range('');
    await store.close();
    const files = await readdir(directory);
    expect(files.some((name) => name.startsWith('snapshot-'))).to.equal(true);
    expect(files.length).to.be.below(8);
    const again = await open(directory);
    expect(await again.range('')).to.deep.equal(before);
    await again.close();
  });

  it('has everything that was acknowledged to a process that was killed with -9', async () => {
    const directory = await newDirectory();
    let next = 0;
    for (let round = 0; round < 4; round++) {
      const writer = new Writer(directory, next);
      await eventually(() => writer.acknowledged.length > 40 * (round + 1), { withinMs: 15_000 });
      await writer.kill();
      const store = await open(directory);
      const { entries } = await store.range('key/', { keysOnly: true });
      const present = new Set(entries.map(({ key }) => Number(key.slice('key/'.length))));
      const lost = writer.acknowledged.filter((n) => !present.has(n));
      expect(lost).to.deep.equal([]);
      next = Math.max(...present) + 1;
      // In order of commit: with all of 0…n there, nothing was skipped over either.
      expect(present.size).to.equal(next);
      await store.close();
    }
  }).timeout(60_000);

  it('can be opened at once where its holder was killed, and not before', async () => {
    const directory = await newDirectory();
    const writer = new Writer(directory, 0);
    await eventually(() => writer.isOpen, { withinMs: 15_000 });
    const refusal: unknown = await open(directory).catch((error: unknown) => error);
    expect(refusal).to.have.property('code', 'already-running');
    expect(String(refusal)).to.contain(`process ${writer.pid}`).and.contain(directory);
    await writer.kill();
    const store = await open(directory);
    await store.close();
  }).timeout(30_000);
});

function same(a: EngineState, b: EngineState): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The writer of test/support/embedded-writer.ts as a process of its own. */
class Writer {
  readonly acknowledged: number[] = [];
  isOpen = false;
  private readonly child: ChildProcess;

  constructor(directory: string, first: number) {
    const script = resolve(import.meta.dirname, '../../../../support/embedded-writer.ts');
    const args = ['--import', 'tsx', script, directory, String(first)];
    this.child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      if (line === 'open') this.isOpen = true;
      else this.acknowledged.push(Number(line));
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.child.once('close', resolve));
    this.child.kill('SIGKILL');
    await closed;
  }
}
