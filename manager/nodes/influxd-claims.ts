// One influxd, one agent: two live nodes that name the same running influxd would undo each other's work.
import { AppError } from '../../shared/errors/app-error.js';
import type { Keys } from '../store/keys.js';
import type { Comparison, Operation, Store } from '../store/port.js';
import { decodeRecord, encodeRecord } from '../store/records.js';
import { influxdClaim, nodeRecord, type InfluxdClaim, type InfluxdIdentity } from './records.js';

/** What a transaction must compare and put so that the claim holds. */
export interface ClaimParts {
  readonly comparisons: readonly Comparison[];
  readonly operations: readonly Operation[];
}

const NOTHING: ClaimParts = { comparisons: [], operations: [] };

export class InfluxdClaims {
  constructor(private readonly deps: { readonly store: Store; readonly keys: Keys }) {}

  /**
   * The parts that give `owner` this influxd and let go of the one it had before. Throws AppError `influxd-in-use` (409)
   * where another node that is alive has it.
   */
  async prepare(
    owner: InfluxdClaim,
    influxd: InfluxdIdentity,
    before: InfluxdIdentity | undefined,
    signal: AbortSignal,
  ): Promise<ClaimParts> {
    const key = this.keyOf(influxd);
    const entry = await this.deps.store.get(key, { signal });
    if (entry !== undefined) {
      const holder = decodeRecord(entry, influxdClaim);
      if (holder.cluster === owner.cluster && holder.id === owner.id) return NOTHING;
      await this.refuseIfAlive(holder, influxd, signal);
    }
    const previous = before === undefined ? key : this.keyOf(before);
    return {
      comparisons: [
        entry === undefined
          ? { key, is: 'absent' }
          : { key, is: 'at', modRevision: entry.modRevision },
      ],
      operations: [
        { put: key, value: encodeRecord(owner) },
        ...(previous === key ? [] : [{ delete: previous }]),
      ],
    };
  }

  private async refuseIfAlive(
    holder: InfluxdClaim,
    influxd: InfluxdIdentity,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, keys } = this.deps;
    const cluster = keys.cluster(holder.cluster);
    const [alive, node] = await Promise.all([
      store.get(cluster.aliveOf(holder.id), { signal }),
      store.get(cluster.node(holder.id), { signal }),
    ]);
    if (alive === undefined || node === undefined) return;
    const { hostname } = decodeRecord(node, nodeRecord);
    throw new AppError(
      'influxd-in-use',
      `the influxd that started at ${influxd.started} already has an agent: node ${holder.id} (${hostname}) of cluster ${JSON.stringify(holder.cluster)}; stop one of the two agents`,
      { status: 409, details: { cluster: holder.cluster, id: holder.id, hostname } },
    );
  }

  /** A copied meta.db has the same ClusterID, so the start time belongs to the identity. */
  private keyOf({ clusterId, started }: InfluxdIdentity): string {
    return this.deps.keys.influxd(`${clusterId}@${started}`);
  }
}
