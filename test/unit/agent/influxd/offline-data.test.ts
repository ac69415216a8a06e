import { expect } from 'chai';
import { FakeInflux } from '../../../../agent/influxd/fake-influx.js';
import { offlineData, orphanedShards, raiseIds } from '../../../../agent/influxd/offline-data.js';
import { decodeSnapshot, encodeSnapshot } from '../../../../shared/meta/codec.js';
import { lineageOf } from '../../../../shared/meta/lineage.js';
import type { Schema, SchemaObject } from '../../../../shared/meta/model.js';
import { keyOf, sameSchema, schemaOf } from '../../../../shared/meta/model.js';
import { readSchema } from '../../../../shared/meta/snapshot.js';

const DAY = 86_400_000_000_000n;
const TARGET: Schema = schemaOf([
  { kind: 'database', path: ['kept'], value: { defaultPolicy: 'week' } },
  {
    kind: 'policy',
    path: ['kept', 'autogen'],
    value: {
      durationNs: 0n,
      shardDurationNs: 7n * DAY,
      replication: 1,
      futureLimitNs: 0n,
      pastLimitNs: 0n,
    },
  },
  {
    kind: 'policy',
    path: ['kept', 'week'],
    value: {
      durationNs: 7n * DAY,
      shardDurationNs: DAY,
      replication: 2,
      futureLimitNs: 0n,
      pastLimitNs: 0n,
    },
  },
  {
    kind: 'subscription',
    path: ['kept', 'week', 's'],
    value: { mode: 'ANY', destinations: ['udp://h:1'] },
  },
  {
    kind: 'continuous-query',
    path: ['kept', 'q'],
    value: { query: 'CREATE CONTINUOUS QUERY q ON kept BEGIN SELECT x END' },
  },
  { kind: 'user', path: ['u'], value: { hash: '$2a$10$hash', admin: true } },
  { kind: 'privilege', path: ['u', 'kept'], value: { level: 2 } },
] satisfies SchemaObject[]);

/** A server with two shards in what stays, one in what goes, and one in its monitoring database. */
function localServer(): FakeInflux {
  const influx = new FakeInflux();
  for (const name of ['kept', 'gone', '_internal']) influx.run(`CREATE DATABASE "${name}"`);
  influx.write('kept', undefined, 1n);
  influx.write('kept', undefined, 30n * DAY);
  influx.write('gone', undefined, 1n);
  influx.write('_internal', undefined, 1n);
  return influx;
}

describe('the content of an offline write', () => {
  it('has the schema that was asked for, and survives its own encoding', () => {
    const data = decodeSnapshot(
      encodeSnapshot(offlineData(localServer().data, TARGET, { diskShardIds: [] })),
    );
    expect(sameSchema(readSchema(data), TARGET)).to.equal(true);
  });

  it('keeps ClusterID, shard groups and the monitoring database; raises Term by 1 and Index by 1,000', () => {
    const local = localServer().data;
    const data = offlineData(local, TARGET, { diskShardIds: [] });
    expect(data.ClusterID).to.equal(local.ClusterID);
    expect([data.Term, data.Index]).to.deep.equal([local.Term + 1n, local.Index + 1_000n]);
    const places = lineageOf(data).groups.map(({ id, database, shards }) => [
      id,
      database,
      ...shards,
    ]);
    expect(places).to.deep.equal([
      ['1', 'kept', '1'],
      ['2', 'kept', '2'],
      ['4', '_internal', '4'],
    ]);
  });

  it('counts ids on above everything that is or was listed, or lies on disk', () => {
    const local = localServer().data;
    const data = offlineData(local, TARGET, { diskShardIds: [3n, 17n] });
    expect([data.MaxShardGroupID, data.MaxShardID]).to.deep.equal([4n, 17n]);
    const low = { ...local, MaxShardID: 0n, MaxShardGroupID: 0n };
    const raised = raiseIds(low, undefined, []);
    expect([raised.MaxShardGroupID, raised.MaxShardID]).to.deep.equal([4n, 4n]);
    const restored = raiseIds(offlineData(undefined, TARGET, { diskShardIds: [] }), local, [2n]);
    expect([restored.MaxShardGroupID, restored.MaxShardID]).to.deep.equal([4n, 4n]);
  });

  it('takes the shard groups of what is another object of the same name', () => {
    const recreated = new Set([keyOf({ kind: 'policy', path: ['kept', 'autogen'] })]);
    const local = localServer().data;
    const data = offlineData(local, TARGET, { diskShardIds: [], recreated });
    expect(lineageOf(data).groups.map(({ database }) => database)).to.deep.equal(['_internal']);
    expect(orphanedShards(local, data).map(({ id }) => id)).to.deep.equal([1n, 2n, 3n]);
  });

  it('names the shards whose files nobody will find any more', () => {
    const local = localServer().data;
    const data = offlineData(local, TARGET, { diskShardIds: [] });
    expect(orphanedShards(local, data)).to.deep.equal([
      { id: 3n, database: 'gone', policy: 'autogen' },
    ]);
  });

  it('is a fresh file for a new server: schema alone, Term 1, Index 2, a ClusterID of its own', () => {
    const [a, b] = [
      offlineData(undefined, TARGET, { diskShardIds: [] }),
      offlineData(undefined, TARGET, { diskShardIds: [] }),
    ];
    expect(sameSchema(readSchema(a), TARGET)).to.equal(true);
    expect([a.Term, a.Index, a.MaxShardID]).to.deep.equal([1n, 2n, 0n]);
    expect(a.ClusterID).not.to.equal(b.ClusterID);
    expect(a.ClusterID > 0n && a.ClusterID < 2n ** 63n).to.equal(true);
  });

  it('leaves the local message as it was', () => {
    const local = localServer().data;
    const before = encodeSnapshot(local);
    offlineData(local, TARGET, { diskShardIds: [99n] });
    expect(encodeSnapshot(local)).to.deep.equal(before);
  });

  it('keeps another monitoring database by its name', () => {
    const influx = new FakeInflux();
    influx.run('CREATE DATABASE "monitoring"');
    const data = offlineData(influx.data, schemaOf([]), {
      diskShardIds: [],
      internal: 'monitoring',
    });
    expect(data.Databases.map(({ Name }) => Name)).to.deep.equal(['monitoring']);
  });
});
