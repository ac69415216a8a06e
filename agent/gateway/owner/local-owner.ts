// This node as an owner: what it does with a batch and with a read, whether they come from its own gateway or from a peer.
// Nothing is written that this node can't place, nothing is read that may lack points, and nothing is sent on.
import type { IncomingHttpHeaders } from 'node:http';
import { isAppError, messageOf } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { InfluxdAccount } from '../../influxd/account.js';
import { whyDenied } from '../../influxd/account.js';
import { Unanswered, type InfluxDataClient } from '../../influxd/data-client.js';
import type { MetadataView } from '../metadata/port.js';
import type { PlacementView } from '../placement/port.js';
import type { PlacedGroup, Placement } from '../../../shared/placement/model.js';
import { routeOf } from './batch-route.js';
import { judge, type Verdict } from './influxd-verdict.js';
import type { LocalSchema } from './local-schema.js';
import type { ApplyOutcome, Batch, ReadOutcome, ReadQuery } from './port.js';

/** The numbered deletes on this node. Rejects as the manager and influxd do. */
export interface LocalDeletes {
  /** All up to this number have been run here. */
  readonly applied: number;
  /** Runs `work` once deletes up to `number` have been run, and keeps later ones away meanwhile. */
  during<T>(
    number: number,
    work: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<
    | { readonly kind: 'done'; readonly result: T }
    | { readonly kind: 'behind'; readonly applied: number }
  >;
  runUpTo(number: number, signal: AbortSignal): Promise<unknown>;
}

/** Whether this node may answer for these groups: see backlog/read-judge.ts. */
export interface ReadPermission {
  mayServe(
    groups: readonly number[],
    signal: AbortSignal,
  ): Promise<
    | { readonly kind: 'yes' }
    | { readonly kind: 'behind'; readonly why: string; readonly retryAfterMs: number }
  >;
}

export interface LocalOwnerDeps {
  readonly influxd: Pick<InfluxDataClient, 'write' | 'query'>;
  /** For the sentence where influxd refuses it. */
  readonly account: Pick<InfluxdAccount, 'username' | 'jwtSecret'>;
  /** Undefined before the first registration. */
  readonly nodeId: () => number | undefined;
  readonly placement: Pick<PlacementView, 'current' | 'reach'>;
  readonly metadata: Pick<MetadataView, 'current' | 'reach'>;
  readonly schema: LocalSchema;
  readonly deletes: LocalDeletes;
  /** What is left of a hint after the deletes that came after it, up to `applied`; undefined: nothing. */
  readonly afterDeletes: (
    hint: Batch,
    applied: number,
    signal: AbortSignal,
  ) => Promise<Batch | undefined>;
  /** Whether writes other than hints are taken: see backlog/catch-up-gate.ts. */
  readonly gate: { readonly isOpen: boolean; noteInfluxdAway(): void };
  readonly judge: ReadPermission;
  /** Points of this group have reached influxd's disk: resolves once that is on record. */
  readonly noteWritten: (group: number) => Promise<void>;
  /** Of batches that are being worked on, together; 256 MiB where absent. */
  readonly maxBytesInFlight?: number;
  readonly clock: Pick<Clock, 'sleep' | 'monotonicMs'>;
  readonly logger: Logger;
}

const MAX_BYTES_IN_FLIGHT = 256 * 1024 * 1024;

/** A node applies what it has heard of within a tick; who waits for longer is told to come again. */
const SCHEMA_WITHIN_MS = 2_000;
const SCHEMA_EVERY_MS = 25;

/** Deletes that come while a hint is being filtered, one after the other: beyond, the hint comes again. */
const HINT_ROUNDS = 5;

export class LocalOwner {
  private bytesInFlight = 0;
  private isDenied = false;
  private index:
    { readonly of: Placement; readonly groups: ReadonlyMap<number, PlacedGroup> } | undefined;

  constructor(private readonly deps: LocalOwnerDeps) {}

  /** Rejects only with `aborted` at the signal. */
  async apply(batch: Batch, signal: AbortSignal): Promise<ApplyOutcome> {
    const bytes = batch.body.length;
    if (this.bytesInFlight + bytes > (this.deps.maxBytesInFlight ?? MAX_BYTES_IN_FLIGHT)) {
      return failed('it is busy: as many bytes are being written as it takes');
    }
    this.bytesInFlight += bytes;
    try {
      return await this.take(batch, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const isHeld = isAppError(error) && error.cause instanceof Unanswered;
      return { ...failed(messageOf(error)), ...(isHeld ? { isHeld } : {}) };
    } finally {
      this.bytesInFlight -= bytes;
    }
  }

  /** Rejects only with `aborted` at the signal, which ends a body under way too. */
  async read(query: ReadQuery, signal: AbortSignal): Promise<ReadOutcome> {
    try {
      return (await this.whyNotRead(query, signal)) ?? (await this.open(query, signal));
    } catch (error) {
      if (signal.aborted) throw error;
      return failed(messageOf(error));
    }
  }

  private async take(batch: Batch, signal: AbortSignal): Promise<ApplyOutcome> {
    const behind = await this.catchUp(batch, signal);
    if (behind !== undefined) return behind;
    const route = this.routeOf(batch);
    if (route.kind !== 'ours') return route;
    if (!batch.isHint && !this.deps.gate.isOpen) return { kind: 'catching-up' };
    return batch.isHint ? this.takeHint(batch, signal) : this.takeDirect(batch, signal);
  }

  private async takeDirect(batch: Batch, signal: AbortSignal): Promise<ApplyOutcome> {
    const write = () => this.write(batch, signal);
    const done = await this.deps.deletes.during(batch.deletes, write, signal);
    return done.kind === 'done' ? done.result : { kind: 'deletes', deletes: done.applied };
  }

  /** Later deletes were run already: what they matched is left out, under the same lock under which the rest is written. */
  private async takeHint(hint: Batch, signal: AbortSignal): Promise<ApplyOutcome> {
    const { deletes, afterDeletes } = this.deps;
    for (let round = 0; round < HINT_ROUNDS; round += 1) {
      const number = Math.max(hint.deletes, deletes.applied);
      const left = number === hint.deletes ? hint : await afterDeletes(hint, number, signal);
      if (left === undefined) return { kind: 'applied' };
      const done = await deletes.during(number, () => this.write(left, signal), signal);
      if (done.kind === 'done') return done.result;
    }
    return failed('deletes are being run faster than this hint can be compared with them');
  }

  private async write(batch: Batch, signal: AbortSignal): Promise<ApplyOutcome> {
    const startedMs = this.deps.clock.monotonicMs();
    for (;;) {
      const { database, policy, databaseMark, policyMark } = batch;
      const isThere = this.deps.schema.has(database, policy, databaseMark, policyMark);
      const verdict: Verdict = isThere
        ? await this.ask(batch, signal)
        : { kind: 'lacks', text: 'its influxd has not been given the database yet' };
      if (verdict.kind !== 'lacks') return this.outcomeOf(verdict);
      // The cluster's metadata alone says that points have nowhere to go.
      const route = this.routeOf(batch);
      if (route.kind !== 'ours') return route;
      const isLate = this.deps.clock.monotonicMs() - startedMs >= SCHEMA_WITHIN_MS;
      if (isLate) return failed(`the cluster has what was written to, but here: ${verdict.text}`);
      await this.deps.clock.sleep(SCHEMA_EVERY_MS, signal);
    }
  }

  private async ask(batch: Batch, signal: AbortSignal): Promise<Verdict> {
    try {
      const { status, text } = await this.deps.influxd.write(batch, signal);
      const verdict = judge(status, text, batch.points);
      if (hasWritten(verdict, batch)) await this.deps.noteWritten(batch.group);
      return verdict;
    } catch (error) {
      // Writes of other gateways became hints meanwhile, so those come first when it is back.
      if (isAppError(error, 'influxd-unreachable')) this.deps.gate.noteInfluxdAway();
      throw error;
    }
  }

  private outcomeOf(verdict: Exclude<Verdict, { kind: 'lacks' }>): ApplyOutcome {
    if (verdict.kind !== 'denied') {
      this.isDenied = false;
      return verdict;
    }
    return this.denied(verdict.status);
  }

  private denied(status: number): { readonly kind: 'failed'; readonly why: string } {
    const why = `its influxd ${whyDenied(this.deps.account, status)}`;
    if (!this.isDenied) {
      this.deps.logger.error('influxd refuses points and queries of this agent', { reason: why });
    }
    this.isDenied = true;
    return failed(why);
  }

  private async whyNotRead(
    query: ReadQuery,
    signal: AbortSignal,
  ): Promise<Exclude<ReadOutcome, { kind: 'opened' }> | undefined> {
    const late = await this.catchUp(query, signal);
    if (late !== undefined) return late;
    const incomplete = this.whyIncomplete(query.groups);
    if (incomplete !== undefined) return incomplete;
    if (query.deletes > this.deps.deletes.applied) {
      await this.deps.deletes.runUpTo(query.deletes, signal);
    }
    // Last, because what peers have told is good for seconds only, and a delete may take longer.
    const permission = await this.deps.judge.mayServe(query.groups, signal);
    return permission.kind === 'behind' ? permission : undefined;
  }

  /** The asker chose this node by a placement that may be older than ours. */
  private whyIncomplete(groups: readonly number[]): (ReadOutcome & { kind: 'behind' }) | undefined {
    const { schema } = this.deps;
    const node = this.deps.nodeId();
    const behind = (why: string, retryAfterMs: number) =>
      ({ kind: 'behind', why, retryAfterMs }) as const;
    for (const id of groups) {
      const group = this.groups.get(id);
      if (group === undefined) {
        return behind('what is asked for is no longer placed as the asker thinks', MOVED_RETRY_MS);
      }
      const own = group.shards.flatMap(({ owners }) => owners.filter((each) => each.node === node));
      if (own.length === 0) return behind('it owns no shard of what is asked for', MOVED_RETRY_MS);
      const lack = own.find(({ incomplete }) => incomplete !== undefined)?.incomplete;
      if (lack !== undefined) return behind(`it lacks points: ${lack.why}`, INCOMPLETE_RETRY_MS);
      const { database, policy, databaseMark, policyMark } = group;
      if (!schema.has(database, policy, databaseMark, policyMark)) {
        return behind('its influxd has not been given the database yet', MOVED_RETRY_MS);
      }
    }
    return undefined;
  }

  private async open(query: ReadQuery, signal: AbortSignal): Promise<ReadOutcome> {
    const { status, headers, body } = await this.deps.influxd.query(query, signal);
    if (status !== 401 && status !== 403 && status < 500) {
      this.isDenied = false;
      const contentType = headers['content-type'] ?? 'application/json';
      return { kind: 'opened', status, contentType, error: errorIn(headers), body };
    }
    body.destroy();
    if (status >= 500) return failed(`its influxd answered ${status}`);
    return this.denied(status);
  }

  /** Undefined where this node knows at least what the sender worked by. */
  private async catchUp(
    {
      placementVersion,
      metadataVersion,
    }: { readonly placementVersion: number; readonly metadataVersion: number },
    signal: AbortSignal,
  ): Promise<{ readonly kind: 'failed'; readonly why: string } | undefined> {
    const { metadata, placement } = this.deps;
    if (metadata.current.version < metadataVersion) {
      const isReached = await metadata.reach(metadataVersion, signal);
      if (!isReached)
        return failed(`it has not reached version ${metadataVersion} of the metadata`);
    }
    if (placement.current.version < placementVersion) {
      const isReached = await placement.reach(placementVersion, signal);
      if (!isReached) {
        return failed(`it has not reached version ${placementVersion} of the placement`);
      }
    }
    return undefined;
  }

  /** By id; made anew for each placement, because each batch asks. */
  private get groups(): ReadonlyMap<number, PlacedGroup> {
    const of = this.deps.placement.current;
    if (this.index?.of !== of) {
      this.index = { of, groups: new Map(of.groups.map((each) => [each.id, each])) };
    }
    return this.index.groups;
  }

  private routeOf(batch: Batch): ReturnType<typeof routeOf> {
    const { placement, metadata, nodeId } = this.deps;
    const node = nodeId();
    if (node === undefined) return failed('it has not been registered since it was started');
    const group = this.groups.get(batch.group);
    return routeOf(batch, {
      ...{ placement: placement.current, group, metadata: metadata.current, node },
    });
  }
}

/** Another owner is asked at once; this one is right again when both have the same placement. */
const MOVED_RETRY_MS = 200;
/** Only a repair or a person ends it. */
const INCOMPLETE_RETRY_MS = 10_000;

/** Node gives a header's bytes one character each; influxd means UTF-8. */
function errorIn({ 'x-influxdb-error': error }: IncomingHttpHeaders): string | undefined {
  const said = Array.isArray(error) ? error.join() : error;
  return said === undefined ? undefined : Buffer.from(said, 'latin1').toString();
}

function hasWritten(verdict: Verdict, { points }: Batch): boolean {
  return verdict.kind === 'applied' || (verdict.kind === 'refused' && verdict.dropped < points);
}

function failed(why: string): { readonly kind: 'failed'; readonly why: string } {
  return { kind: 'failed', why };
}
