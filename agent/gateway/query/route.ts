// Which nodes can answer a statement: those that are complete owners of every shard of every group that it reads. Pure.
// It never proposes an incomplete node, unless it is asked for an answer that may be partial; then it says what is missing.
import type { Source, Statement, TimeBounds } from '../../../shared/influx/influxql/statement.js';
import { formatTime } from '../../../shared/influx/time.js';
import type { PlacedGroup } from '../../../shared/placement/model.js';
import type { Metadata } from '../metadata/port.js';
import type { NodeDirectory, PlacementView } from '../placement/port.js';
import type { Refusal } from './port.js';

/** Statements that read points or what is known of them. */
export type ReadStatement = Extract<
  Statement,
  { kind: 'select' | 'into' | 'explain' | 'show-data' }
>;

export interface Candidate {
  readonly node: number;
  /** Ids of the groups of which it must be a complete owner that lacks nothing. */
  readonly groups: readonly number[];
  /** What its answer lacks; '' : nothing. */
  readonly missing: string;
}

/** `candidates`: best first, never empty. */
export type Route =
  { readonly kind: 'routed'; readonly candidates: readonly Candidate[] } | Refusal;

export interface RouteView {
  readonly placement: Pick<PlacementView, 'covering' | 'ofDatabase'>;
  readonly directory: Pick<NodeDirectory, 'self' | 'node' | 'all'>;
  readonly metadata: Metadata;
}

export interface RouteRequest {
  readonly database: string;
  readonly policy: string;
  readonly allowsPartial: boolean;
}

/** An int64 of nanoseconds ends here. */
const MIN_NS = -(2n ** 63n);
const MAX_NS = 2n ** 63n - 1n;

export function routeOf(statement: ReadStatement, request: RouteRequest, view: RouteView): Route {
  const { databases, groups } = needOf(statement, request, view);
  // Of a database that is not the cluster's (such as _internal) each node has its own.
  const isLocal = databases.some((name) => !view.metadata.databases.has(name));
  if (groups.length === 0) {
    return anyNode(view.directory, isLocal);
  }
  return coveringNodes(groups, request, view);
}

/** For statements of this very server, and for those that read what every node has. */
export function anyNode(directory: RouteView['directory'], isLocal: boolean): Route {
  const self = directory.self.id;
  const others = isLocal ? [] : byLiveness(directory).filter((id) => id !== self);
  const nodes = self === undefined ? others : [self, ...others];
  if (nodes.length === 0) return unregistered();
  return { kind: 'routed', candidates: nodes.map((node) => ({ node, groups: [], missing: '' })) };
}

/** The groups of all sources, each once, and the databases that they are of. */
function needOf(
  statement: ReadStatement,
  request: RouteRequest,
  { placement, metadata }: RouteView,
): { databases: string[]; groups: PlacedGroup[] } {
  if (statement.kind === 'show-data') {
    const named = statement.sources.map((source) => source.database).filter((name) => name !== '');
    const databases = [...new Set([statement.database || request.database, ...named])];
    return { databases, groups: databases.flatMap((name) => [...placement.ofDatabase(name)]) };
  }
  const databases = new Set<string>();
  const groups = new Map<number, PlacedGroup>();
  for (const source of statement.sources) {
    const database = source.database || request.database;
    databases.add(database);
    const policy = policyOf(source, request, metadata);
    const { fromNs, toNs } = halfOpen(statement.bounds);
    for (const group of placement.covering(database, policy, fromNs, toNs)) {
      groups.set(group.id, group);
    }
  }
  return { databases: [...databases], groups: [...groups.values()] };
}

/** As influxd: the one that is named, else the request's, else the database's default. */
export function policyOf(
  source: Pick<Source, 'database' | 'policy'>,
  request: Pick<RouteRequest, 'database' | 'policy'>,
  metadata: Metadata,
): string {
  const database = metadata.databases.get(source.database || request.database);
  return source.policy || request.policy || (database?.defaultPolicy ?? '');
}

function halfOpen({ fromNs, toNs }: TimeBounds): { fromNs: bigint; toNs: bigint } {
  return {
    fromNs: fromNs ?? MIN_NS,
    toNs: toNs === undefined || toNs >= MAX_NS ? MAX_NS : toNs + 1n,
  };
}

function coveringNodes(
  groups: readonly PlacedGroup[],
  request: RouteRequest,
  { directory }: RouteView,
): Route {
  const ids = byLiveness(directory).filter((id) => groups.every((group) => owns(group, id)));
  if (ids.length === 0) return notAnswerable(groups);
  const self = directory.self.id;
  const rated = ids.map((node) => ({ node, lacking: groups.filter((g) => !isComplete(g, node)) }));
  const localFirst = (node: number): number => (node === self ? 0 : 1);
  // The sort is stable: within one rank the order by liveness stays.
  rated.sort((a, b) => localFirst(a.node) - localFirst(b.node));
  const complete = rated.filter(({ lacking }) => lacking.length === 0);
  if (complete.length > 0) {
    const needed = groups.map((group) => group.id);
    const candidates = complete.map(({ node }) => ({ node, groups: needed, missing: '' }));
    return { kind: 'routed', candidates };
  }
  if (!request.allowsPartial) return incomplete(rated);
  rated.sort((a, b) => a.lacking.length - b.lacking.length);
  const candidates = rated.map(({ node, lacking }) => ({
    node,
    groups: groups.filter((group) => !lacking.includes(group)).map((group) => group.id),
    missing: missingText(node, lacking),
  }));
  return { kind: 'routed', candidates };
}

function owns(group: PlacedGroup, node: number): boolean {
  return group.shards.every((shard) => shard.owners.some((owner) => owner.node === node));
}

function isComplete(group: PlacedGroup, node: number): boolean {
  return group.shards.every((shard) =>
    shard.owners.some((owner) => owner.node === node && owner.incomplete === undefined),
  );
}

/** Nodes by id, those first that the registry takes to be alive. */
function byLiveness(directory: Pick<NodeDirectory, 'all'>): number[] {
  const nodes = [...directory.all()];
  return nodes.sort((a, b) => Number(b.isAlive) - Number(a.isAlive)).map((node) => node.id);
}

function unregistered(): Refusal {
  return {
    kind: 'refused',
    status: 503,
    code: 'manager-unreachable',
    error:
      'this agent has not been registered yet, so it does not know which node it is; try again when a manager answers',
    isSafeToRetry: true,
    retryAfterSeconds: 1,
  };
}

function notAnswerable(groups: readonly PlacedGroup[]): Refusal {
  const [first] = groups;
  const where = first === undefined ? '' : ` of ${placeOf(first)}`;
  return {
    kind: 'refused',
    status: 501,
    code: 'not-answerable',
    error:
      `no single node keeps all the data that this statement reads (${groups.length.toString()} shard groups${where}), ` +
      'and answers are not put together from several nodes in this release; ask for a shorter time range or fewer measurements',
    isSafeToRetry: false,
  };
}

function incomplete(rated: readonly { node: number; lacking: readonly PlacedGroup[] }[]): Refusal {
  const texts = rated.map(({ node, lacking }) => missingText(node, lacking));
  return {
    kind: 'refused',
    status: 503,
    code: 'incomplete',
    error:
      `no node is known to have all the points that this statement reads: ${texts.join('; ')}; ` +
      'see `clusterflux shards list`, or send X-Clusterflux-Allow-Partial: true to be answered without them',
    isSafeToRetry: true,
  };
}

function missingText(node: number, lacking: readonly PlacedGroup[]): string {
  const texts = lacking.map((group) => {
    const why = group.shards
      .flatMap((shard) => shard.owners)
      .find((owner) => owner.node === node && owner.incomplete !== undefined)?.incomplete?.why;
    return `group ${group.id.toString()} of ${placeOf(group)}${why === undefined ? '' : ` (${why})`}`;
  });
  return `node ${node.toString()} may lack points in ${texts.join(', ')}`;
}

function placeOf(group: PlacedGroup): string {
  return `${group.database}.${group.policy} from ${formatTime(group.startNs)}`;
}
