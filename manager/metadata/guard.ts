// The manager's guard: a write that no node answers for, and that loses more than a few databases, policies or durations, is
// held until a person approves exactly that. What has passed lies in the store, so that all managers count together.
import { z } from 'zod';
import { AppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { describeKey } from '../../shared/meta/diff.js';
import {
  countAll,
  countChanges,
  guardQuestion,
  guardVerdict,
  heldDigest,
  unprovenChanges,
  withinWindow,
  type PassedDrops,
  type UnprovenChange,
} from '../../shared/meta/guard-rule.js';
import type { Schema } from '../../shared/meta/model.js';
import type { ClusterKeys } from '../store/keys.js';
import type { Operation, Store } from '../store/port.js';
import { decodeRecord, encodeRecord } from '../store/records.js';

/** The list in an error is for people; its digest stands for all of it. */
const MAX_SHOWN = 100;

/** So many names stand in the sentence itself. */
const MAX_NAMED = 3;

const counts = z.object({ databases: z.number().int(), policies: z.number().int() });
const guardRecord = z.object({
  passed: z.array(z.object({ atMs: z.number(), counts, of: counts })),
});

export interface GuardDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** `guard.max-drops`. */
  readonly maxDrops: number;
}

/** The two contents of a write that is looked at. */
export interface GuardedWrite {
  readonly keys: ClusterKeys;
  readonly before: Schema;
  readonly after: Schema;
}

/** What the guard says to a write. */
export interface Judgement {
  /** All that it would lose; may be empty. */
  readonly losses: readonly UnprovenChange[];
  /** Names exactly this list. */
  readonly digest: string;
  readonly isHeld: boolean;
}

export class Guard {
  constructor(private readonly deps: GuardDeps) {}

  /** Only looks: for dry runs. */
  async judge(write: GuardedWrite, signal: AbortSignal): Promise<Judgement> {
    return (await this.look(write, signal)).judgement;
  }

  /**
   * Lets a write through: the result is what its transaction puts besides, so that what it loses is counted. That transaction
   * compares the cluster's pointer, and the count moves only with the pointer. What a person approved is not counted.
   * Throws AppError `too-many-drops` (422) where it is held and `approve` is not the digest of what it would lose.
   */
  async admit(
    write: GuardedWrite,
    approve: string | undefined,
    signal: AbortSignal,
  ): Promise<readonly Operation[]> {
    const { judgement, passed, nowMs } = await this.look(write, signal);
    const { losses, digest, isHeld } = judgement;
    if (losses.length === 0) return [];
    if (isHeld) {
      if (approve === digest) return [];
      throw tooManyDrops(judgement);
    }
    const more = { atMs: nowMs, counts: countChanges(losses), of: countAll(write.before) };
    return [{ put: write.keys.guard, value: encodeRecord({ passed: [...passed, more] }) }];
  }

  private async look(
    { keys, before, after }: GuardedWrite,
    signal: AbortSignal,
  ): Promise<{
    judgement: Judgement;
    passed: readonly PassedDrops[];
    nowMs: number;
  }> {
    const { store, clock, maxDrops } = this.deps;
    const losses = unprovenChanges(before, after);
    const digest = heldDigest(losses);
    const nowMs = clock.nowMs();
    if (losses.length === 0)
      return { judgement: { losses, digest, isHeld: false }, passed: [], nowMs };
    const entry = await store.get(keys.guard, { signal });
    const passed =
      entry === undefined ? [] : withinWindow(decodeRecord(entry, guardRecord).passed, nowMs);
    const now = countChanges(losses);
    const question = guardQuestion(passed, { now, of: countAll(before), maxDrops });
    const isHeld = guardVerdict(question) === 'hold';
    return { judgement: { losses, digest, isHeld }, passed, nowMs };
  }
}

/** What a write loses, as answers show it. */
export function shownLosses(
  losses: readonly UnprovenChange[],
): { object: string; change: UnprovenChange['change'] }[] {
  return losses.map(({ key, change }) => ({ object: describeKey(key), change }));
}

function tooManyDrops({ losses, digest }: Judgement): AppError {
  const held = shownLosses(losses.slice(0, MAX_SHOWN));
  const named = held.slice(0, MAX_NAMED).map(({ object, change }) => `${change} ${object}`);
  const more = losses.length > named.length ? ` and ${losses.length - named.length} more` : '';
  return new AppError(
    'too-many-drops',
    `the write was held, because it would ${named.join(', ')}${more}, and that is more than passes without a person (guard.max-drops, or half of all); where it is meant, send it again with the header X-Clusterflux-Approve: ${digest} (a rollback: "approve": "${digest}")`,
    { status: 422, details: { held, count: losses.length, digest } },
  );
}
