// Owners of a shard that answer as a test says, and all that the fan-out needs around them: hints in memory, a directory, a
// clock that only moves when it is told to.
import type { Handoff, HintOutcome } from '../../../agent/gateway/handoff/port.js';
import type { ApplyOutcome, Batch, BatchSender } from '../../../agent/gateway/owner/port.js';
import type { ClusterNode } from '../../../agent/gateway/placement/port.js';
import { Deliveries } from '../../../agent/gateway/write/delivery.js';
import type { FanOutOptions, FanOutResult, Routed } from '../../../agent/gateway/write/fan-out.js';
import { FanOut } from '../../../agent/gateway/write/fan-out.js';
import type { Lines } from '../../../agent/gateway/write/lines.js';
import { ShapeMemory } from '../../../agent/gateway/write/shapes.js';
import { AppError } from '../../../shared/errors/app-error.js';
import type { FakeClock } from '../../../shared/lifecycle/clock.js';
import { fakeClock } from '../../../shared/lifecycle/clock.js';
import type { PlacedGroup } from '../../../shared/placement/model.js';
import { shapeOf, TextLines } from './text-lines.js';

/** What an owner answers; a function sees the batch, a promise is an answer that is late. */
export type Behaviour =
  ApplyOutcome | Promise<ApplyOutcome> | ((batch: Batch) => ApplyOutcome | Promise<ApplyOutcome>);

export interface Sent {
  readonly node: number;
  readonly text: string;
  readonly batch: Batch;
}

export class TestOwners {
  readonly clock: FakeClock = fakeClock();
  readonly sent: Sent[] = [];
  readonly hints: { readonly uid: string; readonly text: string; readonly batch: Batch }[] = [];
  readonly announced: string[] = [];
  readonly shapes = new ShapeMemory();
  /** Uids for which something is held already. */
  readonly held = new Set<string>();
  /** Uids whose hints can't be kept. */
  readonly full = new Set<string>();
  /** Uids that can't be told of their hints. */
  readonly untold = new Set<string>();
  readonly dead = new Set<number>();
  isNearlyDrained = false;
  private readonly waiting: ((isDrained: boolean) => void)[] = [];
  readonly fanOut: FanOut;
  private readonly deliveries: Deliveries;

  constructor(readonly behaviours: Behaviour[]) {
    const sender: BatchSender = {
      send: async (node, batch) => {
        this.sent.push({ node, text: batch.body.toString(), batch });
        const behaviour = this.behaviours[node - 1] ?? { kind: 'failed', why: 'no such owner' };
        return typeof behaviour === 'function' ? behaviour(batch) : behaviour;
      },
    };
    const directory = {
      node: (id: number) => this.nodeOf(id),
      refresh: async () => false,
    };
    this.deliveries = new Deliveries({
      sender,
      directory,
      handoff: this.handoff(),
      news: {
        announce: async (uid) => {
          this.announced.push(uid);
          if (!this.untold.has(uid)) return;
          const options = { status: 503, retryable: true, retryAfterSeconds: 1 };
          throw new AppError('isolated', 'nobody could be told', options);
        },
      },
      clock: this.clock,
      metrics: { noteSent: () => undefined, noteHint: () => undefined },
    });
    const { deliveries, clock, shapes } = this;
    this.fanOut = new FanOut({ deliveries, directory, shapes, clock });
  }

  /** Delivers these lines to all owners. All shapes are known unless `isNew`. */
  deliver(
    texts: readonly string[],
    options: Partial<FanOutOptions> & { readonly isNew?: boolean } = {},
  ): Promise<FanOutResult> {
    const lines = new TextLines(texts);
    const { isNew = false, ...rest } = options;
    if (!isNew) this.shapes.learn(SHARD_ID, 0, lines.shapes());
    return this.fanOut.deliver(this.routed(lines), {
      level: 'one',
      hintAfterMs: 100,
      isLast: false,
      signal: new AbortController().signal,
      ...rest,
    });
  }

  private routed(lines: Lines): Routed {
    const owners = this.behaviours.map((_, index) => ({ node: index + 1 }));
    const shard = { id: SHARD_ID, owners };
    const group: PlacedGroup = {
      id: 7,
      database: 'd',
      policy: 'p',
      databaseMark: 1,
      policyMark: 1,
      startNs: 0n,
      endNs: 10n,
      shards: [shard],
    };
    const { id, database, policy, databaseMark, policyMark } = group;
    const head = {
      database,
      policy,
      databaseMark,
      policyMark,
      precision: 'n',
      group: id,
      shard: shard.id,
      placementVersion: 1,
      metadataVersion: 1,
      deletes: 0,
      isHint: false,
    } as const;
    return { group, shard, lines, head };
  }

  /** All hints of the owner are delivered, or an attempt failed. */
  tellDrained(uid: string, isDrained: boolean): void {
    if (isDrained) this.held.delete(uid);
    for (const tell of this.waiting.splice(0)) tell(isDrained);
  }

  private handoff(): Pick<Handoff, 'holds' | 'keep' | 'drained' | 'isNearlyDrained'> {
    return {
      drained: () => new Promise((resolve) => this.waiting.push(resolve)),
      isNearlyDrained: () => this.isNearlyDrained,
      holds: (uid) => this.held.has(uid),
      keep: async (uid, batch): Promise<HintOutcome> => {
        if (this.full.has(uid)) return { kind: 'refused', why: 'the disk is full' };
        this.hints.push({ uid, text: batch.body.toString(), batch });
        this.held.add(uid);
        return { kind: 'kept', ref: { ownerUid: uid, sequence: this.hints.length }, isFirst: true };
      },
    };
  }

  private nodeOf(id: number): ClusterNode | undefined {
    if (id > this.behaviours.length) return undefined;
    return {
      id,
      uid: uidOf(id),
      address: { host: '127.0.0.1', port: 1 },
      hostname: `host-${String(id)}`,
      isAlive: !this.dead.has(id),
      behind: [],
    };
  }
}

export const SHARD_ID = 3;

export function uidOf(node: number): string {
  return `uid-${String(node)}`;
}

/** An answer that comes when the test gives it. */
export function late(): {
  readonly answer: Promise<ApplyOutcome>;
  readonly give: (outcome: ApplyOutcome) => void;
} {
  let give: (outcome: ApplyOutcome) => void = () => undefined;
  const answer = new Promise<ApplyOutcome>((resolve) => {
    give = resolve;
  });
  return { answer, give };
}

/** Refuses the lines of these shapes, and takes the others, as influxd does where the types of fields are in conflict. */
export function shapesRefused(...shapes: readonly number[]): Behaviour {
  return ({ body }) => {
    const lines = body.toString().split('\n');
    const dropped = lines.filter((line) => shapes.includes(shapeOf(line))).length;
    if (dropped === 0) return { kind: 'applied' };
    const text = `partial write: conflict dropped=${String(dropped)}`;
    return { kind: 'refused', text, dropped };
  };
}
