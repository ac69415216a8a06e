// Dump, restore and migration over the memory store: what is kept, what is refused, and what an interruption leaves behind.
import { expect } from 'chai';
import fc from 'fast-check';
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readClosed, StoreGate } from '../../../../../manager/store/archive/closed.js';
import { dumpStore } from '../../../../../manager/store/archive/dump.js';
import { migrateStore } from '../../../../../manager/store/archive/migrate.js';
import { restoreStore, type Restored } from '../../../../../manager/store/archive/restore.js';
import { Keys } from '../../../../../manager/store/keys.js';
import { MemoryStore } from '../../../../../manager/store/memory/memory-store.js';
import type { Store } from '../../../../../manager/store/port.js';
import { rangeAll } from '../../../../../manager/store/range-all.js';
import { encodeRecord } from '../../../../../manager/store/records.js';
import { AppError, isAppError } from '../../../../../shared/errors/app-error.js';
import { fakeClock } from '../../../../../shared/lifecycle/clock.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../../support/temp-dir.js';

const AT = '2026-01-01T00:00:00.000Z';
const signal = new AbortController().signal;
const keys = new Keys('/clusterflux');
/** The target is another installation, so that keys must move below its prefix. */
const otherKeys = new Keys('/elsewhere');

describe('the archive of a store', () => {
  let directory: TemporaryDirectory;
  let file: string;
  let stores: MemoryStore[] = [];
  beforeEach(async () => {
    directory = await temporaryDirectory('archive');
    file = join(directory.path, 'dump.jsonl');
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
    stores = [];
    await directory.remove();
  });

  function open(): MemoryStore {
    const store = new MemoryStore({ clock: fakeClock() });
    stores.push(store);
    return store;
  }

  async function filled(): Promise<MemoryStore> {
    const store = open();
    const cluster = keys.cluster('a/b ü');
    const put = (key: string, value: Buffer) => store.transact([], [{ put: key, value }]);
    await put(cluster.meta, Buffer.from('pointer'));
    await put(cluster.node(1), Buffer.from([0, 255, 10, 13]));
    await put(cluster.chunkOf('blob', 0), Buffer.alloc(960 * 1024, 7));
    for (let n = 1; n <= 150; n += 1) await put(cluster.digestOf(n), Buffer.from(String(n)));
    await put(keys.maskKey, Buffer.alloc(0));
    const leaseId = await store.grantLease(60);
    await store.transact([], [{ put: cluster.aliveOf(1), value: Buffer.from('x'), leaseId }]);
    return store;
  }

  const dump = (store: Store, to = file) => dumpStore({ store, keys, to, at: AT, signal });
  const restore = (store: Store, more: { replace?: boolean; dryRun?: boolean } = {}) =>
    restoreStore({
      ...{ store, keys: otherKeys, isShared: true, file, replace: false, dryRun: false, at: AT },
      ...more,
      signal,
    });

  /** Keys below the prefix with their values, without what is under a lease. */
  async function contentOf(store: Store, of: Keys): Promise<Record<string, string>> {
    const { entries } = await rangeAll(store, of.root);
    const lasting = entries.filter(({ leaseId }) => leaseId === undefined);
    return Object.fromEntries(
      lasting.map(({ key, value }) => [key.slice(of.root.length), value.toString('base64')]),
    );
  }

  async function refusal(work: Promise<unknown>): Promise<{ code: string; message: string }> {
    try {
      await work;
    } catch (error) {
      if (isAppError(error)) return { code: error.code, message: error.message };
      throw error;
    }
    return expect.fail('it was not refused');
  }

  it('brings back every key but those under a lease, below another prefix too', async () => {
    const source = await filled();
    const dumped = await dump(source);
    const target = open();
    const restored: Restored = await restore(target);
    expect(restored.keys).to.equal(dumped.keys).and.to.equal(154);
    expect(restored.content).to.equal('1 cluster (a/b ü), 1 node, 154 keys');
    expect(await contentOf(target, otherKeys)).to.deep.equal(await contentOf(source, keys));
  });

  it('writes a file that is its owner’s alone, and the same bytes for the same content', async () => {
    const source = await filled();
    await dump(source);
    expect((await stat(file)).mode & 0o777).to.equal(0o600);
    const again = join(directory.path, 'again.jsonl');
    await dump(source, again);
    expect(await readFile(again)).to.deep.equal(await readFile(file));
  });

  it('reads one revision, whatever is written meanwhile', async () => {
    const source = await filled();
    const before = await contentOf(source, keys);
    let lines = '';
    const to = async (line: string) => {
      lines += line;
      const put = { put: keys.cluster('late').digestOf(lines.length), value: Buffer.from('x') };
      await source.transact([], [put, { delete: keys.cluster('a/b ü').digestOf(150) }]);
    };
    await dumpStore({ store: source, keys, to, at: AT, signal });
    await writeFile(file, lines);
    const target = open();
    await restore(target);
    expect(await contentOf(target, otherKeys)).to.deep.equal(before);
  });

  it('refuses a dump that was cut off, changed, reordered or is none, before the first write', async () => {
    await dump(await filled());
    const good = await readFile(file, 'utf8');
    const lines = good.trimEnd().split('\n');
    const swapped = [...lines];
    [swapped[3], swapped[4]] = [swapped[4]!, swapped[3]!];
    const bad: Record<string, string> = {
      'the trailer is missing': lines.slice(0, -1).join('\n'),
      'the last line is cut off': good.slice(0, -20),
      'a line is missing': [...lines.slice(0, 5), ...lines.slice(6)].join('\n'),
      'a value was changed': good.replace('"value":"MQ=="', '"value":"Mg=="'),
      'two lines changed places': swapped.join('\n'),
      'something follows': `${good}{}\n`,
      empty: '',
      'no dump at all': 'hello\n',
      'another JSON': '{"format":1}\n',
    };
    for (const [what, text] of Object.entries(bad)) {
      await writeFile(file, text);
      const target = open();
      expect((await refusal(restore(target))).code, what).to.equal('dump-invalid');
      expect(await contentOf(target, otherKeys), what).to.deep.equal({});
    }
  });

  it('refuses any single changed byte of a dump', async () => {
    const source = open();
    await source.transact([], [{ put: keys.cluster('c').meta, value: Buffer.from('value') }]);
    await dump(source);
    const good = await readFile(file);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, by) => {
          const bad = Buffer.from(good);
          bad[at] = (bad[at]! + by) % 256;
          await writeFile(file, bad);
          const target = open();
          const refused = await refusal(restore(target)).catch(() => undefined);
          // What JSON does not tell apart (white space, the case of an escape) may pass only with the same content.
          if (refused !== undefined) return;
          expect(await contentOf(target, otherKeys)).to.deep.equal(await contentOf(source, keys));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('refuses a dump of a newer format in words', async () => {
    await dump(await filled());
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('"format":1', '"format":2'));
    const { code, message } = await refusal(restore(open()));
    expect(code).to.equal('store-format-unknown');
    expect(message).to.match(/format 2.*newer release/);
  });

  it('refuses a store that has something, says what, and overwrites it only when it is told to', async () => {
    await dump(await filled());
    const target = open();
    const put = { put: otherKeys.cluster('there').meta, value: Buffer.from('old') };
    await target.transact([], [put]);
    const { code, message } = await refusal(restore(target));
    expect(code).to.equal('store-not-empty');
    expect(message)
      .to.match(/1 cluster \(there\)/)
      .and.match(/--replace/);
    expect(await target.get(otherKeys.cluster('there').meta)).to.have.property('value');
    expect((await restore(target, { replace: true, dryRun: true })).replaced).to.match(/there/);
    expect(await target.get(otherKeys.cluster('there').meta)).to.have.property('value');
    await restore(target, { replace: true });
    expect(await target.get(otherKeys.cluster('there').meta)).to.equal(undefined);
  });

  it('refuses a store that a manager works on, and names it', async () => {
    await dump(await filled());
    const target = open();
    const record = {
      id: 'm',
      hostname: 'host-7',
      ip: '',
      bindAddress: '10.0.0.7:8000',
      version: '',
    };
    const leaseId = await target.grantLease(60);
    const put = { put: otherKeys.manager('m'), value: encodeRecord(record), leaseId };
    await target.transact([], [put]);
    const { code, message } = await refusal(restore(target, { replace: true }));
    expect(code).to.equal('store-in-use');
    expect(message).to.include('host-7 (10.0.0.7:8000)');
    expect(await readClosed(target, otherKeys)).to.equal(undefined);
  });

  it('that is interrupted at any write leaves a closed store, which opens when it is run again', async () => {
    const source = await filled();
    await dump(source);
    const wanted = await contentOf(source, keys);
    for (let writes = 1; ; writes += 1) {
      const target = open();
      const failure = await refusal(restore(failingAfter(target, writes))).catch(() => undefined);
      if (failure === undefined) {
        expect(writes, 'the writes of a restore').to.be.greaterThan(3);
        return;
      }
      const gate = new StoreGate(target, otherKeys);
      const refused = await refusal(gate.guarded().range(otherKeys.root));
      expect(refused.code).to.equal('store-closed');
      expect(refused.message).to.match(/dump\.jsonl.*has not ended; run that again/);
      expect(
        (await refusal(dumpStore({ store: target, keys: otherKeys, to: file, at: AT, signal })))
          .code,
      ).to.equal('store-closed');
      await restore(target);
      expect(await contentOf(target, otherKeys)).to.deep.equal(wanted);
      await gate.guarded().range(otherKeys.root);
    }
  });

  it('a migration moves everything and closes the source, on which no manager starts any more', async () => {
    const source = await filled();
    const wanted = await contentOf(source, keys);
    const target = open();
    const from = { store: source, keys, isShared: false };
    const to = { store: target, keys: otherKeys, isShared: true };
    const common = { from, to, replace: false, at: AT, signal };
    expect((await migrateStore({ ...common, dryRun: true })).keys).to.equal(0);
    expect(await contentOf(target, otherKeys)).to.deep.equal({});
    expect((await migrateStore({ ...common, dryRun: false })).keys).to.equal(154);
    expect(await contentOf(target, otherKeys)).to.deep.equal(wanted);
    const refused = await refusal(new StoreGate(source, keys).pass());
    expect(refused.code).to.equal('store-closed');
    expect(refused.message).to.match(/moved to .*set manager\.store/);
    const again = await refusal(migrateStore({ ...common, replace: true, dryRun: false }));
    expect(again.code).to.equal('store-closed');
    const empty = { ...common, from: { store: open(), keys, isShared: false }, dryRun: false };
    expect((await refusal(migrateStore({ ...empty, replace: true }))).message).to.match(/nothing/);
  });

  it('a migration back needs --replace, and opens the old store again', async () => {
    const source = await filled();
    const target = open();
    const from = { store: source, keys, isShared: false };
    const to = { store: target, keys: otherKeys, isShared: false };
    const common = { dryRun: false, at: AT, signal };
    await migrateStore({ ...common, from, to, replace: false });
    await target.transact([], [{ put: otherKeys.cluster('new').meta, value: Buffer.from('n') }]);
    const back = { ...common, from: to, to: from };
    expect((await refusal(migrateStore({ ...back, replace: false }))).code).to.equal(
      'store-not-empty',
    );
    await migrateStore({ ...back, replace: true });
    await new StoreGate(source, keys).pass();
    expect(await source.get(keys.cluster('new').meta)).to.have.property('value');
  });

  it('appending to a whole dump is noticed', async () => {
    await dump(await filled());
    await appendFile(file, '{"key":"x","value":""}\n');
    expect((await refusal(restore(open()))).message).to.match(/after its trailer/);
  });
});

/** The store whose transactions fail from the given number on. */
function failingAfter(store: Store, writes: number): Store {
  let left = writes;
  return new Proxy(store, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== 'function') return value;
      if (name !== 'transact') return value.bind(target) as unknown;
      return async (...args: Parameters<Store['transact']>) => {
        if (left === 0) throw new AppError('store-unavailable', 'cut off');
        left -= 1;
        return await target.transact(...args);
      };
    },
  });
}
