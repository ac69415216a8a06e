// What a statement reads: its groups, and the nodes that own every shard of them completely. Pure; it asks nobody.
import type { Statement, TimeBounds } from '../shared/influx/influxql/statement.js';
import { formatTime } from '../shared/influx/time.js';
import type { Owner, PlacedGroup } from '../shared/placement/model.js';
import { overlaps } from '../shared/placement/rules.js';
import { liveGroups, policyNamed, type Filter, type PlacementView } from './placement-view.js';

export interface ReadGroup {
  readonly id: number;
  readonly database: string;
  readonly policy: string;
  readonly start: string;
  readonly end: string;
  /** By shard. */
  readonly owners: readonly (readonly Owner[])[];
}

export interface ExplainedStatement {
  readonly statement: string;
  readonly kind: Statement['kind'];
  /** Time bounds, '' where it is open. */
  readonly from: string;
  readonly to: string;
  readonly groups: readonly ReadGroup[];
  /** Nodes that can answer it alone; null: it reads no points, so any can. */
  readonly answeredBy: readonly number[] | null;
  readonly note?: string;
}

/** Throws AppError `usage`, `database-not-found` where a name that it needs is not given or not there. */
export function explainStatement(
  view: PlacementView,
  flags: Filter,
  statement: Statement,
): ExplainedStatement {
  const { kind, text } = statement;
  const bounds = 'bounds' in statement ? statement.bounds : OPEN;
  const groups = readGroups(view, flags, statement, bounds);
  const base = { statement: text.trim(), kind, from: shown(bounds.fromNs), to: shown(bounds.toNs) };
  if (groups === undefined) return { ...base, groups: [], answeredBy: null, ...noteOf(statement) };
  return {
    ...base,
    groups: groups.map(shownGroup),
    answeredBy: completeOwners(groups, view.placement.members),
    ...noteOf(statement),
  };
}

const OPEN: TimeBounds = { fromNs: undefined, toNs: undefined };

/** undefined: it reads no points. */
function readGroups(
  view: PlacementView,
  flags: Filter,
  statement: Statement,
  bounds: TimeBounds,
): PlacedGroup[] | undefined {
  switch (statement.kind) {
    case 'select':
    case 'into':
    case 'explain': {
      const names = statement.sources.map((source) =>
        policyNamed(view, {
          database: source.database === '' ? (flags.database ?? '') : source.database,
          policy: source.policy === '' ? policyFor(source.database, flags) : source.policy,
        }),
      );
      return within(unique(names.flatMap((name) => liveGroups(view, name))), bounds);
    }
    case 'show-data':
    case 'delete': {
      // Of all policies: influxd keeps series by database.
      const database = statement.database === '' ? flags.database : statement.database;
      const { database: name } = policyNamed(view, database === undefined ? {} : { database });
      return within(liveGroups(view, { database: name }), bounds);
    }
    case 'show-metadata':
    case 'show-server':
    case 'metadata':
    case 'user':
    case 'drop-shard':
    case 'kill':
      return undefined;
  }
}

/** --policy is of the request's database alone. */
function policyFor(database: string, flags: Filter): string {
  return database === '' || database === flags.database ? (flags.policy ?? '') : '';
}

function within(groups: readonly PlacedGroup[], { fromNs, toNs }: TimeBounds): PlacedGroup[] {
  return groups.filter((group) =>
    overlaps(group, fromNs ?? group.startNs, toNs === undefined ? group.endNs : toNs + 1n),
  );
}

function unique(groups: readonly PlacedGroup[]): PlacedGroup[] {
  return [...new Map(groups.map((group) => [group.id, group])).values()];
}

/** Where there are no groups every member can say so. */
function completeOwners(groups: readonly PlacedGroup[], members: readonly number[]): number[] {
  const shards = groups.flatMap((group) => group.shards);
  const candidates =
    shards.length === 0
      ? members
      : new Set(shards.flatMap(({ owners }) => owners.map(({ node }) => node)));
  return [...candidates]
    .filter((node) =>
      shards.every(({ owners }) =>
        owners.some((owner) => owner.node === node && owner.incomplete === undefined),
      ),
    )
    .sort((a, b) => a - b);
}

function shownGroup({ id, database, policy, startNs, endNs, shards }: PlacedGroup): ReadGroup {
  return {
    id,
    database,
    policy,
    start: formatTime(startNs),
    end: formatTime(endNs),
    owners: shards.map(({ owners }) => owners),
  };
}

function shown(ns: bigint | undefined): string {
  return ns === undefined ? '' : formatTime(ns);
}

function noteOf({ kind }: Statement): { note?: string } {
  if (kind === 'into') return { note: 'its result is written through placement' };
  if (kind === 'delete') return { note: 'it is numbered by the cluster and run by every node' };
  if (kind === 'show-server') return { note: 'it is about the server that answers' };
  return {};
}
