// A LocalOwner of one database and one group, on whatever influxd it is given: everything around it is what the test says.
import type { LocalOwnerDeps } from '../../../agent/gateway/owner/local-owner.js';
import { LocalOwner } from '../../../agent/gateway/owner/local-owner.js';
import type { Batch, ReadQuery } from '../../../agent/gateway/owner/port.js';
import type { DatabaseInfo, Metadata } from '../../../agent/gateway/metadata/port.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import { systemClock } from '../../../shared/lifecycle/clock.js';
import { memoryLogger } from '../../../shared/log/logger.js';
import type { PlacedGroup, Placement } from '../../../shared/placement/model.js';

export const DATABASE = 'telegraf';
export const POLICY = 'autogen';
const DAY_NS = 86_400_000_000_000n;

/** What the test may change at any time. */
export interface OwnerWorld {
  metadata: Metadata;
  placement: Placement;
  /** Whether the local influxd has the database, as the base says. */
  isApplied: boolean;
  isGateOpen: boolean;
  /** Numbers of deletes: run here, and runnable. */
  deletes: { applied: number; newest: number };
  /** What is left of a hint: the batch as it is where absent. */
  afterDeletes?: (hint: Batch) => Batch | undefined;
  /** Versions that can be had by asking. */
  reachable: { metadata: number; placement: number };
  behind?: string;
  awayNoted: number;
  /** Groups that were said to have points here. */
  readonly written: Set<number>;
}

export interface OwnerUnderTest {
  readonly owner: LocalOwner;
  readonly world: OwnerWorld;
  readonly logger: ReturnType<typeof memoryLogger>;
}

export function groupOf(changes: Partial<PlacedGroup> = {}): PlacedGroup {
  return {
    ...{ id: 1, database: DATABASE, policy: POLICY, databaseMark: 1, policyMark: 1 },
    ...{ startNs: 0n, endNs: 1_000n * DAY_NS },
    shards: [{ id: 1, owners: [{ node: 1 }, { node: 2 }] }],
    ...changes,
  };
}

export function placementOf(groups: readonly PlacedGroup[], version = 1): Placement {
  return { version, incarnation: 'i', members: [1, 2], deletes: 0, groups };
}

export function metadataOf(marks: { database?: number; policy?: number } = {}): Metadata {
  const policy = {
    ...{ name: POLICY, durationNs: 0n, shardDurationNs: 7n * DAY_NS, replication: 1 },
    mark: marks.policy ?? 1,
  };
  const database: DatabaseInfo = {
    ...{ name: DATABASE, defaultPolicy: POLICY, mark: marks.database ?? 1 },
    policies: new Map([[POLICY, policy]]),
  };
  return { version: 1, databases: new Map([[DATABASE, database]]), users: new Map() };
}

export function batchOf(lines: string | readonly string[], changes: Partial<Batch> = {}): Batch {
  const all = typeof lines === 'string' ? [lines] : lines;
  return {
    ...{ database: DATABASE, policy: POLICY, precision: 's', points: all.length },
    body: Buffer.from(all.join('\n')),
    ...{ group: 1, shard: 1, databaseMark: 1, policyMark: 1 },
    ...{ placementVersion: 1, metadataVersion: 1, deletes: 0, isHint: false },
    ...changes,
  };
}

export function readOf(statement: string, changes: Partial<ReadQuery> = {}): ReadQuery {
  return {
    ...{ statement, database: DATABASE, policy: undefined, epoch: 's', chunked: false },
    ...{ chunkSize: undefined, pretty: false, accept: undefined, params: undefined },
    ...{ groups: [1], placementVersion: 1, metadataVersion: 1, deletes: 0 },
    ...changes,
  };
}

export function ownerOn(
  influxd: LocalOwnerDeps['influxd'],
  options: {
    readonly clock?: Clock;
    readonly maxBytesInFlight?: number;
    readonly account?: LocalOwnerDeps['account'];
  } = {},
): OwnerUnderTest {
  const world: OwnerWorld = {
    metadata: metadataOf(),
    placement: placementOf([groupOf()]),
    ...{ isApplied: true, isGateOpen: true, awayNoted: 0, written: new Set<number>() },
    deletes: { applied: 0, newest: 0 },
    reachable: { metadata: 1, placement: 1 },
  };
  const logger = memoryLogger();
  const owner = new LocalOwner({
    influxd,
    account: options.account ?? {},
    nodeId: () => 1,
    placement: {
      get current() {
        return world.placement;
      },
      reach: async (version) => {
        if (world.reachable.placement < version) return false;
        world.placement = { ...world.placement, version };
        return true;
      },
    },
    metadata: {
      get current() {
        return world.metadata;
      },
      reach: async (version) => {
        if (world.reachable.metadata < version) return false;
        world.metadata = { ...world.metadata, version };
        return true;
      },
    },
    schema: { has: () => world.isApplied },
    deletes: {
      get applied() {
        return world.deletes.applied;
      },
      during: async (number, work) => {
        if (number > world.deletes.newest) throw new Error('no manager tells of that delete');
        world.deletes.applied = Math.max(world.deletes.applied, number);
        if (world.deletes.applied > number)
          return { kind: 'behind', applied: world.deletes.applied };
        return { kind: 'done', result: await work() };
      },
      runUpTo: async (number) => {
        if (number > world.deletes.newest) throw new Error('no manager tells of that delete');
        world.deletes.applied = Math.max(world.deletes.applied, number);
      },
    },
    afterDeletes: async (hint) =>
      world.afterDeletes === undefined ? hint : world.afterDeletes(hint),
    gate: {
      get isOpen() {
        return world.isGateOpen;
      },
      noteInfluxdAway: () => {
        world.awayNoted += 1;
      },
    },
    noteWritten: async (group) => {
      world.written.add(group);
    },
    judge: {
      mayServe: async () =>
        world.behind === undefined
          ? { kind: 'yes' }
          : { kind: 'behind', why: world.behind, retryAfterMs: 100 },
    },
    ...(options.maxBytesInFlight === undefined
      ? {}
      : { maxBytesInFlight: options.maxBytesInFlight }),
    clock: options.clock ?? systemClock(),
    logger,
  });
  return { owner, world, logger };
}
