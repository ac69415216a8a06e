// The reconciler over a stopped fake influxd: what goes into its meta.db, what waits, and when the base moves.
import { expect } from 'chai';
import { FakeInflux } from '../../../../agent/influxd/fake-influx.js';
import { offlineData } from '../../../../agent/influxd/offline-data.js';
import { createFakeManager } from '../../../../agent/manager-api/fake-manager-api.js';
import type { MetaWriter } from '../../../../agent/sync/apply-offline.js';
import { OfflineApplier } from '../../../../agent/sync/apply-offline.js';
import { MemoryBaseStore } from '../../../../agent/sync/base-store.js';
import type { TickMode, TickReport } from '../../../../agent/sync/port.js';
import { LIVE_MODE } from '../../../../agent/sync/port.js';
import { SyncReconciler } from '../../../../agent/sync/reconciler.js';
import { RemoteView } from '../../../../agent/sync/remote-view.js';
import { AppError } from '../../../../shared/errors/app-error.js';
import { silentLogger } from '../../../../shared/log/logger.js';
import { encodeSnapshot } from '../../../../shared/meta/codec.js';
import type { SchemaObject } from '../../../../shared/meta/model.js';
import { schemaOf } from '../../../../shared/meta/model.js';
import { canonicalSnapshot, emptyData, writeSchema } from '../../../../shared/meta/snapshot.js';

const OFFLINE: Partial<TickMode> = { offline: true };

class Server {
  readonly store = new MemoryBaseStore();
  /** Called right before meta.db would be put in place. */
  beforeWrite: () => void = () => undefined;
  private readonly remoteView: RemoteView;
  private readonly reconciler: SyncReconciler;

  constructor(
    manager: ReturnType<typeof createFakeManager>,
    readonly influx = new FakeInflux(),
  ) {
    const api = manager.api();
    this.remoteView = new RemoteView(api, 'plant');
    this.reconciler = new SyncReconciler({
      cluster: 'plant',
      store: this.store,
      api,
      remoteView: this.remoteView,
      control: this.influx,
      offline: new OfflineApplier(this.writer()),
      nodeId: () => 1,
      logger: silentLogger(),
      nowMs: () => 0,
      settings: { join: 'merge', isShared: () => true, ownUser: undefined, maxDrops: 5 },
      approval: () => undefined,
      onEvent: () => undefined,
    });
  }

  async tick(mode: Partial<TickMode> = {}): Promise<TickReport> {
    const { signal } = new AbortController();
    await this.remoteView.refresh(signal);
    return this.reconciler.tick({ ...LIVE_MODE, ...mode }, signal);
  }

  /** Until nothing is left to do. */
  async settle(mode: Partial<TickMode> = {}): Promise<TickReport> {
    for (let round = 0; round < 10; round += 1) {
      const report = await this.tick(mode);
      if (report.outcome !== 'changed') return report;
    }
    throw new Error('it never settles');
  }

  private writer(): MetaWriter {
    const { influx } = this;
    return {
      readFile: () => influx.readFile(),
      shardsOnDisk: async () => [...influx.disk.values()],
      compose: async (local, target) =>
        offlineData(local.source === 'none' ? undefined : local.data, target, {
          diskShardIds: influx.disk.keys(),
        }),
      write: async (data, expected) => {
        this.beforeWrite();
        if (influx.isRunning) throw new AppError('influxd-running', 'influxd runs');
        const found = influx.fileBytes();
        const isSame = expected === undefined ? !found : found && expected.equals(found);
        if (isSame !== true) throw new AppError('version-conflict', 'meta.db changed');
        influx.replaceFile(encodeSnapshot(data));
      },
    };
  }
}

describe('an offline write of the reconciler', () => {
  let manager: ReturnType<typeof createFakeManager>;
  let other: Server;
  let server: Server;
  beforeEach(async () => {
    manager = createFakeManager();
    other = new Server(manager);
    server = new Server(manager);
    other.influx.run('CREATE DATABASE "db"');
    await other.settle();
    await server.settle();
  });
  const versions = () => manager.newest('plant')?.tag.version;

  it('moves the base only once a running influxd shows what was written', async () => {
    server.influx.kill();
    other.influx.run('CREATE DATABASE "new"');
    other.influx.run(`CREATE USER "ann" WITH PASSWORD 'p'`);
    await other.settle();
    const before = [...server.store.state.entries.keys()];
    const version = versions();
    await server.settle(OFFLINE);
    expect([...server.store.state.entries.keys()]).to.deep.equal(before);
    expect((await server.tick(OFFLINE)).steps).to.deep.equal([]);
    server.influx.start();
    expect((await server.tick()).steps).to.deep.equal([]);
    expect(server.store.state.note).to.equal(undefined);
    expect(server.store.state.entries.has('["user","ann"]' as never)).to.equal(true);
    expect(versions()).to.equal(version);
  });

  it('gathers the changes of several offline writes before one start', async () => {
    server.influx.kill();
    for (const name of ['x', 'y']) {
      other.influx.run(`CREATE DATABASE "${name}"`);
      await other.settle();
      await server.settle(OFFLINE);
    }
    server.influx.start();
    expect((await server.settle()).steps).to.deep.equal([]);
    expect(server.influx.data.Databases.map(({ Name }) => Name)).to.deep.equal(['db', 'x', 'y']);
    other.influx.run('DROP DATABASE "x"');
    await other.settle();
    await server.settle();
    expect(server.influx.data.Databases.map(({ Name }) => Name)).to.deep.equal(['db', 'y']);
  });

  it('leaves a dropped database that has shards for a running influxd', async () => {
    server.influx.write('db', undefined, 1n);
    await server.settle();
    server.influx.kill();
    other.influx.run('DROP DATABASE "db"');
    other.influx.run('CREATE DATABASE "late"');
    await other.settle();
    const report = await server.settle(OFFLINE);
    expect(report.pending.map(({ object }) => object)).to.deep.equal(['["database","db"]']);
    server.influx.start();
    expect(server.influx.data.Databases.map(({ Name }) => Name)).to.deep.equal(['db', 'late']);
    expect((await server.settle()).pending).to.deep.equal([]);
    expect(server.influx.data.Databases.map(({ Name }) => Name)).to.deep.equal(['late']);
  });

  it('changes nothing where shards of another time lie on disk', async () => {
    server.influx.write('db', undefined, 1n);
    await server.settle();
    server.influx.kill();
    server.influx.replaceFile(undefined);
    expect(await server.tick(OFFLINE)).to.include({ outcome: 'blocked' });
    expect(server.influx.fileBytes()).to.equal(undefined);
  });

  it('leaves one that was dropped and created anew in place until influxd runs', async () => {
    server.influx.write('db', undefined, 1n);
    other.influx.write('db', undefined, 1n);
    await server.settle();
    await other.settle();
    server.influx.kill();
    other.influx.run('DROP DATABASE "db"');
    await other.settle();
    other.influx.run('CREATE DATABASE "db"');
    await other.settle();
    expect((await server.settle(OFFLINE)).pending).to.have.lengthOf(1);
    server.influx.start();
    await server.settle();
    expect(server.influx.disk.size).to.equal(0);
    expect(server.influx.data.Databases.map(({ Name }) => Name)).to.deep.equal(['db']);
  });

  it('drops a database that never had a point, and creates its successor', async () => {
    server.influx.kill();
    other.influx.run('DROP DATABASE "db"');
    await other.settle();
    expect((await server.settle(OFFLINE)).pending).to.deep.equal([]);
    server.influx.start();
    expect((await server.settle()).steps).to.deep.equal([]);
    expect(server.influx.data.Databases).to.deep.equal([]);
  });

  it('forgets what was not written because influxd was started, and nothing that was', async () => {
    server.influx.kill();
    other.influx.run(`CREATE USER "ann" WITH PASSWORD 'p'`);
    await other.settle();
    await server.settle(OFFLINE);
    other.influx.run('CREATE DATABASE "late"');
    await other.settle();
    server.beforeWrite = () => server.influx.start();
    expect(await server.tick(OFFLINE)).to.include({ outcome: 'blocked', sentence: 'influxd runs' });
    server.beforeWrite = () => undefined;
    // The earlier write was loaded: this server is known, and joins nothing.
    expect((await server.tick()).sentence).not.to.include('joined');
    expect(server.store.state.entries.has('["user","ann"]' as never)).to.equal(true);
    expect(server.influx.data.Databases.map(({ Name }) => Name)).to.deep.equal(['db', 'late']);
  });

  it('looks again where somebody else changed the file', async () => {
    server.influx.kill();
    other.influx.run('CREATE DATABASE "new"');
    await other.settle();
    server.beforeWrite = () => {
      server.beforeWrite = () => undefined;
      const data = server.influx.fileBytes()!;
      server.influx.replaceFile(Buffer.concat([data, Buffer.of(0xf8, 0x07, 0x01)]));
    };
    expect(await server.tick(OFFLINE)).to.include({ outcome: 'changed' });
    await server.settle(OFFLINE);
    server.influx.start();
    expect(server.influx.data.Databases.map(({ Name }) => Name)).to.deep.equal(['db', 'new']);
  });

  it('writes nothing that influxd would trip over, nor what lies in it', async () => {
    const value = {
      durationNs: 0n,
      shardDurationNs: 3_600_000_000_000n,
      replication: 1,
      futureLimitNs: 0n,
      pastLimitNs: 0n,
    };
    const objects: SchemaObject[] = [
      { kind: 'database', path: ['../up'], value: { defaultPolicy: 'p' } },
      { kind: 'policy', path: ['../up', 'p'], value },
      { kind: 'database', path: ['fine'], value: { defaultPolicy: 'p' } },
      { kind: 'policy', path: ['fine', 'p'], value },
      { kind: 'continuous-query', path: ['fine', 'q'], value: { query: 'DROP DATABASE fine' } },
    ];
    const newest = manager.newest('plant')!;
    await manager.api().write('plant', {
      seen: newest.tag,
      bytes: encodeSnapshot(canonicalSnapshot(writeSchema(emptyData(), schemaOf(objects)))),
      idempotencyKey: 'k',
      nodeId: undefined,
    });
    const fresh = new Server(manager, new FakeInflux({ started: false }));
    const report = await fresh.settle(OFFLINE);
    expect(report.pending.map(({ object }) => object)).to.deep.equal([
      '["database","../up"]',
      '["policy","../up","p"]',
      '["continuous-query","fine","q"]',
    ]);
    fresh.influx.start();
    expect(fresh.influx.data.Databases.map(({ Name }) => Name)).to.deep.equal(['fine']);
    expect(fresh.influx.data.Term).to.equal(1n);
    await fresh.tick();
    expect(fresh.store.state.note).to.equal(undefined);
  });

  it('only pushes, or only pulls, where it is told to', async () => {
    server.influx.run('CREATE DATABASE "mine"');
    server.influx.kill();
    other.influx.run('CREATE DATABASE "new"');
    await other.settle();
    const bytes = server.influx.fileBytes();
    const pushed = await server.settle({ ...OFFLINE, pull: false });
    expect(pushed.steps).to.deep.equal([]);
    expect(server.influx.fileBytes()).to.deep.equal(bytes);
    expect(versions()).to.equal(3);
    await server.settle({ ...OFFLINE, push: false });
    server.influx.start();
    expect(server.influx.data.Databases.map(({ Name }) => Name)).to.deep.equal([
      'db',
      'mine',
      'new',
    ]);
    await server.settle();
    expect(versions()).to.equal(3);
  });
});
