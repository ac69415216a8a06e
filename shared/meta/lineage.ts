// What tells whether an influxd is provably the later state of the one last seen: its ids, counters and shard groups.
// Node-local; nothing of it is ever shared.
import { createHash } from 'node:crypto';
import type { Data } from './gen/meta_pb.js';
import { readSchema, schemaText } from './snapshot.js';

/** One shard group as a node's own metadata lists it. Ids as decimal text, because they are 64 bits wide. */
export interface KnownGroup {
  readonly id: string;
  readonly database: string;
  readonly policy: string;
  readonly startNs: string;
  readonly endNs: string;
  /** Marked deleted (by retention, or because its last shard was dropped). */
  readonly deleted: boolean;
  readonly shards: readonly string[];
}

export interface Lineage {
  readonly clusterId: string;
  readonly term: string;
  readonly index: string;
  readonly maxShardGroupId: string;
  readonly maxShardId: string;
  /** SHA-256 over schema and shard groups in canonical order; influxd writes privileges in random order. */
  readonly content: string;
  readonly groups: readonly KnownGroup[];
}

export function lineageOf(data: Data, options: { readonly internal?: string } = {}): Lineage {
  const groups = knownGroups(data);
  const content = createHash('sha256')
    .update(schemaText(readSchema(data, options)))
    .update(JSON.stringify(groups))
    .digest('hex');
  return {
    clusterId: data.ClusterID.toString(),
    term: data.Term.toString(),
    index: data.Index.toString(),
    maxShardGroupId: data.MaxShardGroupID.toString(),
    maxShardId: data.MaxShardID.toString(),
    content,
    groups,
  };
}

function knownGroups(data: Data): KnownGroup[] {
  const groups: KnownGroup[] = [];
  for (const database of data.Databases) {
    for (const policy of database.RetentionPolicies) {
      for (const group of policy.ShardGroups) {
        groups.push({
          id: group.ID.toString(),
          database: database.Name,
          policy: policy.Name,
          startNs: group.StartTime.toString(),
          endNs: group.EndTime.toString(),
          deleted: group.DeletedAt !== 0n,
          shards: group.Shards.map(({ ID }) => ID.toString()),
        });
      }
    }
  }
  return groups.sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1));
}

/**
 * Why `now` is not a later state of the server that showed `before`; undefined where it is (docs/sync.md, "Lineage and joining").
 * Equal Index with other content is a fork: every change of influxd raises Index.
 */
export function lineageBreak(before: Lineage, now: Lineage): string | undefined {
  if (now.clusterId !== before.clusterId) {
    return `its ClusterID is ${now.clusterId}, last seen was ${before.clusterId}: another server's metadata, or a new one`;
  }
  if (now.term !== before.term) {
    return `its Term is ${now.term}, last seen was ${before.term}: the file was written by somebody else`;
  }
  if (BigInt(now.index) < BigInt(before.index)) {
    return `its Index went back from ${before.index} to ${now.index}: an older file`;
  }
  if (now.index === before.index && now.content !== before.content) {
    return `its Index is ${now.index} as before, but the content differs: a fork`;
  }
  if (BigInt(now.maxShardGroupId) < BigInt(before.maxShardGroupId)) {
    return `its MaxShardGroupID went back from ${before.maxShardGroupId} to ${now.maxShardGroupId}`;
  }
  if (BigInt(now.maxShardId) < BigInt(before.maxShardId)) {
    return `its MaxShardID went back from ${before.maxShardId} to ${now.maxShardId}`;
  }
  return movedShard(before, now);
}

/** A known shard id that is still listed must stand under the same database, policy and time range. */
function movedShard(before: Lineage, now: Lineage): string | undefined {
  const places = new Map(now.groups.flatMap((group) => group.shards.map((id) => [id, group])));
  for (const known of before.groups) {
    for (const id of known.shards) {
      const place = places.get(id);
      if (place !== undefined && !isSamePlace(place, known)) {
        return `shard ${id} was of ${known.database}.${known.policy} and is listed under ${place.database}.${place.policy} or another time range`;
      }
    }
  }
  return undefined;
}

function isSamePlace(a: KnownGroup, b: KnownGroup): boolean {
  return (
    a.database === b.database &&
    a.policy === b.policy &&
    a.startNs === b.startNs &&
    a.endNs === b.endNs
  );
}
