// What the cluster's metadata says of policies, as placement needs it.
import { keyOf } from '../../shared/meta/model.js';
import type { Marks } from '../../shared/meta/marks.js';
import type { Schema } from '../../shared/meta/model.js';
import type { PolicyFacts } from '../../shared/placement/groups.js';
import type { ClusterView } from '../metadata/cluster-views.js';

/** One version of the metadata, as far as placement goes. */
export interface Facts {
  readonly schema: Schema;
  readonly marks: Marks;
}

/** By a linearizable read, so that what was created a moment ago is known. undefined: the cluster has no metadata. */
export async function factsOf({ feed }: ClusterView): Promise<Facts | undefined> {
  const newest = await feed.newest();
  if (newest === undefined) return undefined;
  const [schema, marks] = await Promise.all([newest.schema(), newest.marks()]);
  return { schema, marks };
}

/** A policy; or, where there is none, which of the two names is not there. */
export function policyOf(
  { schema, marks }: Facts,
  database: string,
  policy: string,
): PolicyFacts | 'no database' | 'no policy' {
  const databaseKey = keyOf({ kind: 'database', path: [database] });
  const policyKey = keyOf({ kind: 'policy', path: [database, policy] });
  if (!schema.has(databaseKey)) return 'no database';
  const found = schema.get(policyKey);
  if (found?.kind !== 'policy') return 'no policy';
  const { durationNs, shardDurationNs, replication } = found.value;
  return {
    database,
    policy,
    databaseMark: marks.marks.get(databaseKey) ?? 0,
    policyMark: marks.marks.get(policyKey) ?? 0,
    durationNs,
    shardDurationNs,
    replication,
  };
}

export function* policiesOf(facts: Facts): Generator<PolicyFacts> {
  for (const { kind, path } of facts.schema.values()) {
    if (kind !== 'policy') continue;
    const policy = policyOf(facts, path[0], path[1]);
    if (typeof policy === 'object') yield policy;
  }
}
