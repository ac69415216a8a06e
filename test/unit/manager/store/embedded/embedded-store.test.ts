// The embedded store beside the contract: durability, failing disks, leases over a restart, directories that it must refuse.
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import {
  openEmbeddedStore,
  type EmbeddedStoreOptions,
} from '../../../../../manager/store/embedded/embedded-store.js';
import {
  filePath,
  openAppendFile,
  type AppendFile,
} from '../../../../../manager/store/embedded/files.js';
import { encodeFrame } from '../../../../../manager/store/embedded/frame.js';
import type { Store, WatchEvent } from '../../../../../manager/store/port.js';
import { isAppError } from '../../../../../shared/errors/app-error.js';
import { fakeClock } from '../../../../../shared/lifecycle/clock.js';
import { silentLogger } from '../../../../../shared/log/logger.js';
import { eventually } from '../../../../support/eventually.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../../support/temp-dir.js';

describe('the embedded store', () => {
  let directory: TemporaryDirectory;
  let stores: Store[] = [];

  const open = async (options: Partial<EmbeddedStoreOptions> = {}): Promise<Store> => {
    const store = await openEmbeddedStore({
      directory: directory.path,
      logger: silentLogger(),
      ...options,
    });
    stores.push(store);
    return store;
  };

  beforeEach(async () => {
    directory = await temporaryDirectory('embedded');
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
    stores = [];
    await directory.remove();
  });

  const failureOf = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => undefined,
      (error: unknown) => error,
    );

  describe('with a disk in the way', () => {
    it('answers a transaction, shows it to readers and tells watchers only once it is synced', async () => {
      const disk = new Disk();
      const store = await open({ openFile: disk.open });
      const events: WatchEvent[] = [];
      await store.watch('', (event) => events.push(event));
      disk.hold();
      const settled: string[] = [];
      const write = store.transact([], [putOf('a')]).then(() => settled.push('write'));
      const read = store.get('a').then(() => settled.push('read'));
      const refused = store
        .transact([{ key: 'a', is: 'absent' }], [putOf('a')])
        .then(({ kind }) => settled.push(kind));
      await eventually(() => disk.waiting > 0);
      expect([settled, events]).to.deep.equal([[], []]);
      disk.release();
      await Promise.all([write, read, refused]);
      expect(settled.sort()).to.deep.equal(['read', 'refused', 'write']);
      await eventually(() => events.length === 1);
    });

    it('shares one sync between transactions that come together', async () => {
      const disk = new Disk();
      const store = await open({ openFile: disk.open });
      const before = disk.syncs;
      await Promise.all(
        Array.from({ length: 200 }, (_, i) => store.transact([], [putOf(String(i))])),
      );
      expect(disk.syncs - before).to.be.at.most(3);
    });

    for (const part of ['write', 'sync'] as const) {
      it(`acknowledges nothing after a ${part} that failed, and goes on answering what it had`, async () => {
        const disk = new Disk();
        const store = await open({ openFile: disk.open });
        const events: WatchEvent[] = [];
        await store.watch('', (event) => events.push(event));
        await store.transact([], [putOf('kept')]);
        const lease = await store.grantLease(60);
        disk.fail(part);
        const first = await failureOf(store.transact([], [putOf('lost')]));
        const second = await failureOf(store.transact([], [putOf('late')]));
        expect(first).to.have.property('code', 'outcome-unknown');
        expect(second).to.have.property('code', 'store-unavailable');
        expect(String(second)).to.match(/no space left.*restart the manager/);
        expect(await failureOf(store.grantLease(60))).to.have.property('code', 'store-unavailable');
        expect((await store.range('')).entries.map(({ key }) => key)).to.deep.equal(['kept']);
        expect(await store.get('lost')).to.equal(undefined);
        expect(await store.keepAlive(lease)).to.equal(true);
        expect(await store.health()).to.deep.include({ reachable: false });
        expect(events).to.have.length(1);
        await store.close();
        const again = await open();
        expect(await again.get('kept')).to.not.equal(undefined);
        expect(await again.get('late')).to.equal(undefined);
      });
    }

    it('gives up a transaction whose sync never ends, by the deadline', async () => {
      const disk = new Disk();
      const store = await open({ openFile: disk.open, timeoutMs: 50 });
      disk.hold();
      const write = await failureOf(store.transact([], [putOf('a')]));
      expect(write).to.have.property('code', 'outcome-unknown');
      const read = await failureOf(store.get('a'));
      expect(read).to.have.property('code', 'store-unavailable');
      disk.release();
      expect(await store.get('a')).to.not.equal(undefined);
    });
  });

  describe('opened again', () => {
    it('has its keys with their revisions, and counts on from there', async () => {
      const first = await open();
      await first.transact([], [putOf('a'), putOf('b')]);
      const { revision } = await first.transact([], [putOf('a')]);
      const before = await first.range('');
      await first.close();
      const second = await open();
      expect(await second.range('')).to.deep.equal(before);
      expect(await second.transact([], [{ delete: 'b' }])).to.include({ revision: revision + 1 });
    });

    it('gives each lease one full TTL, and ends it then with a revision that watchers see', async () => {
      const clock = fakeClock();
      const first = await open({ clock });
      const lease = await first.grantLease(10);
      const renewed = await first.grantLease(10);
      const { revision } = await first.transact([], [putOf('a', lease), putOf('b', renewed)]);
      await clock.advance(9_000);
      await first.close();

      const second = await open({ clock });
      const events: WatchEvent[] = [];
      await second.watch('', (event) => events.push(event));
      await clock.advance(9_000);
      expect(await second.keepAlive(renewed)).to.equal(true);
      expect((await second.range('')).entries).to.have.length(2);
      await clock.advance(1_000);
      await eventually(() => events.length === 1);
      expect(events).to.deep.equal([{ kind: 'delete', key: 'a', revision: revision + 1 }]);
      expect((await second.range('')).entries.map(({ key }) => key)).to.deep.equal(['b']);
    });

    it('does not bring back a lease that had ended', async () => {
      const first = await open();
      const lease = await first.grantLease(60);
      await first.revokeLease(lease);
      await first.close();
      const second = await open();
      expect(await second.keepAlive(lease)).to.equal(false);
    });

    it('has its leases after a snapshot too', async () => {
      const clock = fakeClock();
      const first = await open({ clock, maxLogBytes: 1 });
      const lease = await first.grantLease(10);
      await first.transact([], [putOf('a', lease)]);
      await eventually(async () => {
        await first.transact([], [putOf('filler')]);
        return (await readdir(directory.path)).some((name) => name.startsWith('snapshot-'));
      });
      await first.close();
      const second = await open({ clock });
      expect((await second.get('a'))?.leaseId).to.equal(lease);
      await clock.advance(10_000);
      await eventually(async () => (await second.get('a')) === undefined);
    });
  });

  describe('refuses, and leaves as it is,', () => {
    const contents = async (): Promise<string[]> => {
      const names = (await readdir(directory.path)).filter((name) => name !== 'lock').sort();
      const files = names.map((name) => readFile(`${directory.path}/${name}`, 'hex'));
      return [...names, ...(await Promise.all(files))];
    };
    const expectRefusal = async (code: string, reason: RegExp): Promise<void> => {
      const before = await contents();
      const error = await failureOf(open());
      expect(isAppError(error)).to.equal(true);
      expect(error).to.have.property('code', code);
      expect(String(error)).to.match(reason);
      expect(await contents()).to.deep.equal(before);
    };
    const fill = async (): Promise<string> => {
      const store = await open();
      for (const key of ['a', 'b', 'c']) await store.transact([], [putOf(key)]);
      await store.close();
      return filePath(directory.path, 'log', 1);
    };

    it('a directory that this process already holds', async () => {
      await open();
      await expectRefusal(
        'already-running',
        new RegExp(`process ${process.pid}, started .* holds it`),
      );
    });

    it('a format that it does not know', async () => {
      const path = await fill();
      const head = Buffer.from(
        JSON.stringify({ store: 'clusterflux', format: 2, file: 'log', generation: 1 }),
      );
      const lengths = Buffer.alloc(8);
      lengths.writeUInt32LE(head.length, 0);
      await writeFile(path, encodeFrame(Buffer.concat([lengths, head])));
      await expectRefusal('store-format-unknown', /format 2 .* knows only format 1/);
    });

    it('a file that is no log', async () => {
      await writeFile(await fill(), 'something else');
      await expectRefusal('store-format-unknown', /damaged at byte 0/);
    });

    it('a log with a byte changed in its midst, because cutting it would lose what was acknowledged', async () => {
      const path = await fill();
      const log = await readFile(path);
      const middle = Math.floor(log.length / 2);
      log.writeUInt8(log.readUInt8(middle) ^ 1, middle);
      await writeFile(path, log);
      await expectRefusal('store-format-unknown', /damaged at byte \d+; nothing was changed/);
    });

    it('a directory from which a log is missing', async () => {
      const path = await fill();
      await writeFile(filePath(directory.path, 'log', 3), await readFile(path));
      await rm(path);
      await expectRefusal('store-format-unknown', /log-0000000001 is missing/);
    });

    it('a path that is no directory', async () => {
      const path = `${directory.path}/file`;
      await writeFile(path, '');
      const error = await failureOf(open({ directory: path }));
      expect(error).to.have.property('code', 'state-unwritable');
      expect(String(error)).to.contain(path);
    });
  });
});

function putOf(key: string, leaseId?: string) {
  const value = Buffer.from(`value of ${key}`);
  return leaseId === undefined ? { put: key, value } : { put: key, value, leaseId };
}

/** A disk that can be told to hold its syncs back, or to fail. */
class Disk {
  syncs = 0;
  waiting = 0;
  private failing: 'write' | 'sync' | undefined;
  private held: Promise<void> | undefined;
  release: () => void = () => undefined;

  hold(): void {
    this.held = new Promise((resolve) => {
      this.release = () => {
        this.held = undefined;
        resolve();
      };
    });
  }

  fail(part: 'write' | 'sync'): void {
    this.failing = part;
  }

  readonly open = async (path: string): Promise<AppendFile> => {
    const file = await openAppendFile(path);
    return {
      write: async (bytes, position) => {
        // A full disk takes a part of what it is given.
        if (this.failing === 'write') {
          await file.write(bytes.subarray(0, bytes.length / 2), position);
          throw new Error('ENOSPC: no space left on device, write');
        }
        await file.write(bytes, position);
      },
      sync: async () => {
        this.syncs += 1;
        this.waiting += 1;
        await this.held;
        this.waiting -= 1;
        if (this.failing === 'sync') throw new Error('ENOSPC: no space left on device, fdatasync');
        await file.sync();
      },
      truncate: (length) => file.truncate(length),
      close: () => file.close(),
    };
  };
}
