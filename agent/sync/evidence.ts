// Absence is not a deletion: what may be believed of a database or policy that is no longer in influxd's metadata, or that
// bears a known name but none of its known shards. Pure; the loaded shards are asked for only where something is suspect.
import type { KnownGroup, Lineage } from '../../shared/meta/lineage.js';
import type { ObjectKey, Schema, SchemaObject } from '../../shared/meta/model.js';
import { nameOf } from '../../shared/meta/model.js';
import type { BaseEntry } from './base.js';

/** Retention may delete a group at any time from here on before its end plus duration; then its absence proves nothing. */
const EXPIRY_MARGIN_NS = 3_600_000_000_000n;

export interface Suspects {
  /** Gone from the local schema, with the shards that it had. */
  readonly dropped: ReadonlyMap<ObjectKey, readonly string[]>;
  /** Still there by name, but every group that it had is gone from the metadata. */
  readonly recreated: ReadonlyMap<ObjectKey, readonly string[]>;
}

export interface Evidence {
  /** Dropped or re-created here, as far as names and shards tell; proven or not. */
  readonly suspects: ReadonlySet<ObjectKey>;
  readonly recreated: ReadonlySet<ObjectKey>;
  readonly whyUnproven: (key: ObjectKey) => string | undefined;
}

export function findSuspects(options: {
  readonly entries: ReadonlyMap<ObjectKey, BaseEntry>;
  readonly local: Schema;
  readonly before: Lineage | undefined;
  readonly now: Lineage;
  readonly nowMs: number;
}): Suspects {
  const { entries, local, before, now, nowMs } = options;
  const dropped = new Map<ObjectKey, readonly string[]>();
  const recreated = new Map<ObjectKey, readonly string[]>();
  const listed = new Set(now.groups.map(({ id }) => id));
  const known = groupsByObject(before?.groups ?? []);
  for (const [key, { local: object }] of entries) {
    if (object?.kind !== 'database' && object?.kind !== 'policy') continue;
    const groups = known(object).filter(({ deleted }) => !deleted);
    const shards = () => groups.flatMap((group) => group.shards);
    if (!local.has(key)) {
      dropped.set(key, shards());
      continue;
    }
    const lasting = groups.filter((group) => !mayHaveExpired(group, entries, nowMs));
    if (lasting.length > 0 && lasting.every(({ id }) => !listed.has(id))) {
      recreated.set(key, shards());
    }
  }
  for (const key of [...recreated.keys()]) {
    if (isOnlyEmptied(key, { entries, local, recreated })) recreated.delete(key);
  }
  return { dropped, recreated };
}

/**
 * A database may have lost all its groups with one policy, while another one, which has points on other nodes, is still the
 * same: it counts as re-created only where every policy that it had by the same name does, and there is one.
 */
function isOnlyEmptied(
  key: ObjectKey,
  sides: {
    readonly entries: ReadonlyMap<ObjectKey, BaseEntry>;
    readonly local: Schema;
    readonly recreated: ReadonlyMap<ObjectKey, unknown>;
  },
): boolean {
  const name = nameOf(key);
  if (name.kind !== 'database') return false;
  let isProven = false;
  for (const [policy, { local }] of sides.entries) {
    if (local?.kind !== 'policy' || local.path[0] !== name.path[0] || !sides.local.has(policy))
      continue;
    if (!sides.recreated.has(policy)) return true;
    isProven = true;
  }
  return !isProven;
}

/** Judges suspects by the shards that influxd has loaded; a text says why they could not be asked for. */
export function judge(suspects: Suspects, shards: ReadonlySet<string> | string): Evidence {
  const loaded = typeof shards === 'string' ? undefined : shards;
  const stillLoaded = (known: readonly string[]) => known.find((id) => loaded?.has(id));
  const recreated = [...suspects.recreated].filter(
    ([, known]) => loaded !== undefined && stillLoaded(known) === undefined,
  );
  return {
    suspects: new Set([...suspects.dropped.keys(), ...suspects.recreated.keys()]),
    recreated: new Set(recreated.map(([key]) => key)),
    whyUnproven: (key) => {
      if (typeof shards === 'string') return shards;
      const shard = stillLoaded(suspects.dropped.get(key) ?? []);
      return shard === undefined
        ? undefined
        : `influxd still has its shard ${shard} loaded, which a true drop unloads`;
    },
  };
}

function groupsByObject(
  groups: readonly KnownGroup[],
): (object: SchemaObject) => readonly KnownGroup[] {
  if (groups.length === 0) return () => [];
  const byPlace = new Map<string, KnownGroup[]>();
  const add = (place: string, group: KnownGroup) => {
    const list = byPlace.get(place);
    if (list) list.push(group);
    else byPlace.set(place, [group]);
  };
  for (const group of groups) {
    add(JSON.stringify([group.database]), group);
    add(JSON.stringify([group.database, group.policy]), group);
  }
  return ({ path }) => byPlace.get(JSON.stringify(path)) ?? [];
}

/** The clock only makes us more careful: a group that retention may have removed is no evidence of a re-creation. */
function mayHaveExpired(
  group: KnownGroup,
  entries: ReadonlyMap<ObjectKey, BaseEntry>,
  nowMs: number,
): boolean {
  const key = JSON.stringify(['policy', group.database, group.policy]) as ObjectKey;
  const policy = entries.get(key)?.local;
  const durationNs = policy?.kind === 'policy' ? policy.value.durationNs : undefined;
  if (durationNs === undefined) return true;
  if (durationNs === 0n) return false;
  return (
    BigInt(group.endNs) + durationNs - EXPIRY_MARGIN_NS < BigInt(Math.trunc(nowMs)) * 1_000_000n
  );
}

/**
 * Shards that influxd has loaded and its metadata does not list, or lists under another database or policy: data of another
 * time lies there, and creating or dropping anything could mix or destroy it. In words, or undefined where all is well.
 */
export function foreignShards(
  now: Lineage,
  loaded: readonly { readonly id: bigint; readonly database: string; readonly policy: string }[],
): string | undefined {
  const places = new Map(now.groups.flatMap((group) => group.shards.map((id) => [id, group])));
  for (const { id, database, policy } of loaded) {
    const place = places.get(id.toString());
    const directory = `${database}.${policy}`;
    if (place === undefined) {
      return `influxd has shard ${id} of ${directory} loaded, but its metadata does not list it`;
    }
    if (place.database !== database || place.policy !== policy) {
      return `influxd has shard ${id} loaded from the directory of ${directory}, but its metadata lists it under ${place.database}.${place.policy}`;
    }
  }
  return undefined;
}
