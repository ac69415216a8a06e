import { create } from '@bufbuild/protobuf';
import { expect } from 'chai';
import fc from 'fast-check';
import { encodeSnapshot } from '../../../../shared/meta/codec.js';
import type { Data } from '../../../../shared/meta/gen/meta_pb.js';
import { ShardGroupInfoSchema, ShardInfoSchema } from '../../../../shared/meta/gen/meta_pb.js';
import type { Schema } from '../../../../shared/meta/model.js';
import { keyOf, sameSchema, schemaOf } from '../../../../shared/meta/model.js';
import {
  canonicalSnapshot,
  emptyData,
  exportSnapshot,
  readSchema,
  schemaText,
  writeSchema,
} from '../../../../shared/meta/snapshot.js';
import {
  anySchema,
  database,
  policy,
  privilege,
  query,
  user,
} from '../../../support/schema-builders.js';

function dataOf(schema: Schema): Data {
  return Object.assign(writeSchema(emptyData(), schema), {
    Term: 3n,
    Index: 40n,
    ClusterID: 7n,
    MaxShardID: 5n,
    MaxShardGroupID: 5n,
  });
}

function withGroup(data: Data, databaseName: string, policyName: string, id: bigint): Data {
  const info = data.Databases.find(({ Name }) => Name === databaseName)?.RetentionPolicies.find(
    ({ Name }) => Name === policyName,
  );
  info?.ShardGroups.push(
    create(ShardGroupInfoSchema, {
      ID: id,
      StartTime: 0n,
      EndTime: 1n,
      DeletedAt: 0n,
      Shards: [create(ShardInfoSchema, { ID: id })],
    }),
  );
  return data;
}

function groupsOf(data: Data): bigint[] {
  return data.Databases.flatMap((each) =>
    each.RetentionPolicies.flatMap((rp) => rp.ShardGroups.map(({ ID }) => ID)),
  );
}

describe('schema and messages', () => {
  it('leaves the monitoring database, and what speaks of it, out', () => {
    const schema = schemaOf([
      database('_internal', 'monitor'),
      policy('_internal', 'monitor'),
      user('u'),
      privilege('u', '_internal', 1),
    ]);
    expect([...readSchema(dataOf(schema)).keys()]).to.deep.equal([
      keyOf({ kind: 'user', path: ['u'] }),
    ]);
    expect(readSchema(dataOf(schema), { internal: 'other' }).size).to.equal(4);
  });

  it('takes a privilege of 0 for none, as REVOKE leaves it', () => {
    const data = dataOf(schemaOf([database('d'), user('u'), privilege('u', 'd', 2)]));
    data.Users[0]!.Privileges[0]!.Privilege = 0;
    expect(readSchema(data).has(keyOf({ kind: 'privilege', path: ['u', 'd'] }))).to.equal(false);
  });

  it('keeps shard groups of what stays, and drops those of what goes or was re-created', () => {
    const schema = schemaOf([
      database('keep'),
      policy('keep', 'autogen'),
      database('gone'),
      policy('gone', 'autogen'),
      database('again'),
      policy('again', 'autogen'),
    ]);
    const data = dataOf(schema);
    withGroup(data, 'keep', 'autogen', 1n);
    withGroup(data, 'gone', 'autogen', 2n);
    withGroup(data, 'again', 'autogen', 3n);
    const after = new Map(schema);
    after.delete(keyOf({ kind: 'database', path: ['gone'] }));
    after.delete(keyOf({ kind: 'policy', path: ['gone', 'autogen'] }));
    const recreated = new Set([keyOf({ kind: 'database', path: ['again'] })]);
    const written = writeSchema(data, after, { recreated });
    expect(groupsOf(written)).to.deep.equal([1n]);
    expect(sameSchema(readSchema(written), after)).to.equal(true);
    expect(groupsOf(data), 'the given message is not touched').to.deep.equal([1n, 2n, 3n]);
  });

  it('writes any schema over any other and reads it back', () => {
    fc.assert(
      fc.property(anySchema, anySchema, (before, after) => {
        const written = writeSchema(dataOf(before), after);
        expect(schemaText(readSchema(written))).to.equal(schemaText(after));
      }),
      { numRuns: 500 },
    );
  });

  it('makes equal bytes of equal content, whatever order and node it comes from', () => {
    fc.assert(
      fc.property(anySchema, fc.nat(), (schema, seed) => {
        const shuffled = schemaOf(
          [...schema.values()].sort((a, b) => order(a, seed) - order(b, seed)),
        );
        const [a, b] = [dataOf(schema), dataOf(shuffled)];
        b.Index = 99n;
        const bytes = (data: Data) => Buffer.from(encodeSnapshot(canonicalSnapshot(data)));
        expect(bytes(a)).to.deep.equal(bytes(b));
      }),
      { numRuns: 300 },
    );
  });

  it('pushes no ids, groups or counters, and exports what influxd boots from', () => {
    const data = withGroup(
      dataOf(schemaOf([database('d'), policy('d', 'autogen'), query('d', 'q', 'text')])),
      'd',
      'autogen',
      9n,
    );
    const canonical = canonicalSnapshot(data);
    expect(groupsOf(canonical)).to.deep.equal([]);
    expect([
      canonical.Term,
      canonical.Index,
      canonical.ClusterID,
      canonical.MaxShardID,
    ]).to.deep.equal([0n, 0n, 0n, 0n]);
    const exported = exportSnapshot(canonical);
    expect(exported.Index).to.equal(2n);
    expect(exported.ClusterID > 0n).to.equal(true);
  });
});

function order(object: { readonly path: readonly string[] }, seed: number): number {
  let hash = seed;
  for (const char of object.path.join('/')) hash = (hash * 31 + char.charCodeAt(0)) % 1_000_003;
  return hash;
}
