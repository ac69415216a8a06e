// Clusters as a whole: the list, one of them, and deleting one that nobody uses.
import type { ClusterBody } from '../../shared/api/clusters.js';
import { AppError } from '../../shared/errors/app-error.js';
import { listClusterNames } from '../store/cluster-names.js';
import { numberOf, type Keys } from '../store/keys.js';
import type { Comparison, Entry, Operation, Store } from '../store/port.js';
import { rangeAll } from '../store/range-all.js';
import type { ClusterView, ClusterViews } from './cluster-views.js';
import type { Published } from './published.js';
import { clusterNotFound } from './reader.js';

/** Keys alone are small. */
const KEYS_PER_READ = 1_000;

export interface ClustersDeps {
  readonly store: Store;
  readonly keys: Keys;
  readonly views: ClusterViews;
  /** True where a missing heartbeat says nothing, because the store was out of reach. */
  readonly isInGrace: () => boolean;
}

export interface DeleteRequest {
  /** The version that the caller believes to be the newest; undefined only with `force`. */
  readonly expect: number | undefined;
  /** Also where nodes are alive. */
  readonly force: boolean;
}

interface State {
  readonly newest: Published | undefined;
  readonly registry: Entry | undefined;
  readonly ids: readonly number[];
  readonly alive: number;
}

export class Clusters {
  constructor(private readonly deps: ClustersDeps) {}

  async list(signal: AbortSignal): Promise<ClusterBody[]> {
    const { store, keys, views } = this.deps;
    const clusters: ClusterBody[] = [];
    for (const name of await listClusterNames(store, keys, signal)) {
      const view = views.of(name);
      const state = await this.stateOf(view, signal);
      if (state !== undefined) clusters.push(bodyOf(name, state));
    }
    return clusters;
  }

  /** Throws AppError `cluster-not-found`. */
  async get(view: ClusterView, signal: AbortSignal): Promise<ClusterBody> {
    const state = await this.stateOf(view, signal);
    if (state === undefined) throw clusterNotFound(view.name);
    return bodyOf(view.name, state);
  }

  /**
   * Deletes metadata, history and nodes; which ids were given to whom stays, because ids are never given twice. Throws
   * AppError `cluster-not-found`, `version-conflict`, `cluster-not-empty` (409), `outcome-unknown`.
   */
  async delete(view: ClusterView, request: DeleteRequest, signal: AbortSignal): Promise<void> {
    const state = await this.deletable(view, request, signal);
    const version = state.newest?.tag.version ?? 0;
    const { kind } = await this.deps.store.transact(
      [
        comparisonOf(view.keys.meta, state.newest?.modRevision),
        comparisonOf(view.keys.registry, state.registry?.modRevision),
      ],
      deleteOperations(view),
      signal,
    );
    if (kind === 'refused') throw moved(view.name, 'it was changed at this moment', version);
  }

  /** What `delete` would delete; throws as it does, and deletes nothing. */
  async check(
    view: ClusterView,
    request: DeleteRequest,
    signal: AbortSignal,
  ): Promise<ClusterBody> {
    return bodyOf(view.name, await this.deletable(view, request, signal));
  }

  private async deletable(
    view: ClusterView,
    request: DeleteRequest,
    signal: AbortSignal,
  ): Promise<State> {
    const state = await this.stateOf(view, signal);
    if (state === undefined) throw clusterNotFound(view.name);
    const version = state.newest?.tag.version ?? 0;
    if (request.expect !== undefined && request.expect !== version) {
      throw moved(view.name, `its newest version is ${version}, not ${request.expect}`, version);
    }
    if (state.alive > 0 && !request.force) throw notEmpty(view.name, state.alive);
    return state;
  }

  /** undefined: neither metadata nor a registry. */
  private async stateOf(view: ClusterView, signal: AbortSignal): Promise<State | undefined> {
    const { store, isInGrace } = this.deps;
    const [newest, registry] = await Promise.all([
      view.feed.newest(),
      store.get(view.keys.registry, { signal }),
    ]);
    if (newest === undefined && registry === undefined) return undefined;
    const options = { keysOnly: true, pageSize: KEYS_PER_READ, signal };
    const nodes = await rangeAll(store, view.keys.nodes, options);
    const { revision } = nodes;
    const alive = await rangeAll(store, view.keys.alive, { ...options, revision });
    const ids = nodes.entries.map((entry) => numberOf(entry.key));
    return { newest, registry, ids, alive: isInGrace() ? ids.length : alive.entries.length };
  }
}

function bodyOf(name: string, { newest, ids, alive }: State): ClusterBody {
  return {
    name,
    version: newest?.tag.version ?? 0,
    incarnation: newest?.tag.incarnation ?? '',
    'updated-at': newest?.record.at ?? null,
    nodes: { alive, all: ids.length },
  };
}

function comparisonOf(key: string, modRevision: number | undefined): Comparison {
  return modRevision === undefined ? { key, is: 'absent' } : { key, is: 'at', modRevision };
}

function deleteOperations({ keys }: ClusterView): Operation[] {
  return [
    { delete: keys.meta },
    { delete: keys.registry },
    { delete: keys.orders },
    { delete: keys.guard },
    { delete: keys.placement.pointer },
    { delete: keys.placement.silence },
    ...[
      keys.history,
      keys.digests,
      keys.writes,
      keys.chunks,
      keys.nodes,
      keys.alive,
      keys.statuses,
      keys.held,
      keys.events,
      keys.eventKeys,
      keys.placement.chunks,
      keys.placement.deletes,
      keys.placement.deleteKeys,
      keys.placement.behind,
    ].map((deletePrefix) => ({ deletePrefix })),
  ];
}

function moved(cluster: string, reason: string, version: number): AppError {
  return new AppError(
    'version-conflict',
    `cluster ${JSON.stringify(cluster)} was not deleted: ${reason}; look at it again and repeat with ?expect=${version}`,
    { status: 409, details: { version } },
  );
}

function notEmpty(cluster: string, alive: number): AppError {
  return new AppError(
    'cluster-not-empty',
    `cluster ${JSON.stringify(cluster)} was not deleted: ${alive} of its nodes are alive; stop their agents, or repeat with &force=true`,
    { status: 409, details: { alive } },
  );
}
