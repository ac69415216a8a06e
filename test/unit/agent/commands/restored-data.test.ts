import { expect } from 'chai';
import type { RestoreSources } from '../../../../agent/commands/restored-data.js';
import { restoredData, unlistedShards } from '../../../../agent/commands/restored-data.js';
import { FakeInflux } from '../../../../agent/influxd/fake-influx.js';
import { NEW_BASE } from '../../../../agent/sync/base.js';
import type { RemoteState } from '../../../../agent/sync/remote-view.js';
import { lineageOf } from '../../../../shared/meta/lineage.js';
import { NO_MARKS } from '../../../../shared/meta/marks.js';
import { readSchema } from '../../../../shared/meta/snapshot.js';

function restore(influx: FakeInflux, more: Partial<RestoreSources> = {}) {
  return restoredData({
    kept: influx.data,
    current: undefined,
    remote: undefined,
    disk: [...influx.disk.values()],
    base: NEW_BASE,
    settings: { joinPolicy: 'merge', isShared: () => true, ownUser: undefined, nowMs: 0 },
    ...more,
  });
}

function clusterOf(influx: FakeInflux): RemoteState {
  const data = influx.data;
  const tag = { incarnation: 'i', version: 1, digest: 'd' };
  return { tag, data, schema: readSchema(data), marks: NO_MARKS };
}

describe('the meta.db that a restore puts in place', () => {
  let influx: FakeInflux;
  beforeEach(() => {
    influx = new FakeInflux();
    influx.run('CREATE DATABASE "db"');
    influx.write('db', undefined, 1n);
  });

  it('keeps shard groups and ClusterID of the kept one', () => {
    const data = restore(influx);
    expect(lineageOf(data).groups).to.deep.equal(lineageOf(influx.data).groups);
    expect(data.ClusterID).to.equal(influx.data.ClusterID);
  });

  it('numbers above all that was seen: kept, current, base, an offline write, and the disk', () => {
    const kept = Object.assign(influx.data, { Term: 1n, Index: 10n });
    const current = Object.assign(influx.data, { Term: 2n, Index: 5_000n, MaxShardGroupID: 40n });
    const lineage = { ...lineageOf(kept), term: '3', index: '20', maxShardId: '30' };
    const base = { lineage, note: { kind: 'offline', term: '4', moves: [] } } as const;
    const disk = [{ id: 9n, database: 'db', policy: 'autogen' }];
    const data = restore(influx, { kept, current, base, disk });
    expect([data.Term, data.Index]).to.deep.equal([5n, 6_000n]);
    expect([data.MaxShardGroupID, data.MaxShardID]).to.deep.equal([40n, 30n]);
    const alone = restore(influx, { kept, disk });
    expect([alone.Term, alone.MaxShardID]).to.deep.equal([2n, 9n]);
  });

  it('has what the cluster has got since, and drops nothing', () => {
    const other = new FakeInflux();
    other.run('CREATE DATABASE "since"');
    other.run('CREATE DATABASE "db" WITH DURATION 1d REPLICATION 1 NAME "autogen"');
    other.run(`CREATE USER "ann" WITH PASSWORD 'p'`);
    const data = restore(influx, { remote: clusterOf(other) });
    expect(data.Databases.map(({ Name }) => Name)).to.deep.equal(['db', 'since']);
    expect(data.Users.map(({ Hash }) => Hash)).to.deep.equal([other.data.Users[0]?.Hash]);
    // Of two durations that met the longer one stays: shortening deletes points.
    expect(data.Databases[0]?.RetentionPolicies[0]?.Duration).to.equal(0n);
    expect(lineageOf(data).groups).to.deep.equal(lineageOf(influx.data).groups);
  });

  it('names the shards on disk that it does not list, or lists elsewhere', () => {
    const shard = (id: bigint, database: string) => ({ id, database, policy: 'autogen' });
    const disk = [shard(1n, 'db'), shard(1n, 'other'), shard(2n, 'db')];
    expect(unlistedShards(influx.data, disk)).to.deep.equal(disk.slice(1));
  });
});
