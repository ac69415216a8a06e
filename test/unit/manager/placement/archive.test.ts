// The placement in a dump: what is restored is the same placement, with its deletes and flags.
import { expect } from 'chai';
import { join } from 'node:path';
import { dumpStore } from '../../../../manager/store/archive/dump.js';
import { restoreStore } from '../../../../manager/store/archive/restore.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import { database, policy } from '../../../support/snapshots.js';
import { startTestManager } from '../../../support/manager.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';
import { never, PlacedCluster } from './placed-cluster.js';

describe('a dump of the store', () => {
  it('carries the placement, numbered deletes and flags', async () => {
    const directory = await temporaryDirectory('placement-dump');
    const [from, to] = [new MemoryStore(), new MemoryStore()];
    const source = await startTestManager({ store: from });
    const cluster = new PlacedCluster(source);
    for (const uid of ['a', 'b']) await cluster.register(uid);
    await cluster.write(database('db'), policy('db', 'autogen'));
    const { body } = await cluster.want('2026-03-04T12:10:00Z');
    const statement = { database: 'db', statement: 'DROP MEASUREMENT m' };
    await cluster.ask('POST', '/clusters/c/deletes', statement);
    await cluster.ask('PUT', '/nodes/c/2/behind/1');

    const { keys } = source.services;
    const file = join(directory.path, 'dump.jsonl');
    await dumpStore({ store: from, keys, to: file, at: '2026-01-01T00:00:00.000Z', signal: never });
    await restoreStore({
      store: to,
      keys,
      file,
      at: '2026-01-01T00:00:00.000Z',
      replace: false,
      dryRun: false,
      isShared: true,
      signal: never,
    });

    const target = await startTestManager({ store: to });
    const restored = new PlacedCluster(target);
    const { state } = await restored.view.placement.load();
    expect([state.version, state.members, state.deletes]).to.deep.equal([
      body.version + 1,
      [1, 2],
      1,
    ]);
    expect(await restored.groups()).to.deep.equal(await cluster.groups());
    const deletes = await restored.ask('GET', '/clusters/c/deletes');
    expect(deletes.body).to.have.length(1);
    const node = await restored.ask('GET', '/nodes/c/2');
    expect(node.body['behind']).to.deep.equal([1]);
    for (const manager of [source, target]) await manager.close();
    for (const store of [from, to]) await store.close();
    await directory.remove();
  });
});
