// What a tick did, as a report: one sentence, and lists for /status. Words only.
import { createHash } from 'node:crypto';
import { describeKey } from '../../shared/meta/diff.js';
import type { ObjectKey } from '../../shared/meta/model.js';
import type { HoldReason } from './base.js';
import type { Apply, Plan, PlannedPending } from './plan-types.js';
import type { HeldItem, PendingItem, StepTaken, TickOutcome, TickReport } from './port.js';

export function makeReport(parts: {
  readonly outcome: TickOutcome;
  readonly sentence: string;
  readonly version: number;
  readonly isInStep?: boolean;
  readonly pending?: readonly PlannedPending[];
  readonly holds?: Plan['holds'];
  readonly steps?: readonly StepTaken[];
}): TickReport {
  return {
    outcome: parts.outcome,
    sentence: parts.sentence,
    version: parts.version,
    inStep: parts.isInStep ?? false,
    pending: uniquePending(parts.pending ?? []),
    held: (parts.holds ?? []).map(({ key, reason }) => heldItem(key, reason)),
    steps: parts.steps ?? [],
  };
}

function uniquePending(items: readonly PlannedPending[]): PendingItem[] {
  const byText = new Map<string, PendingItem>();
  for (const { key, reason, remedy } of items) {
    byText.set(`${key} ${reason}`, {
      object: key,
      reason: `${describeKey(key)}: ${reason}`,
      remedy,
    });
  }
  return [...byText.values()];
}

function heldItem(key: ObjectKey, reason: HoldReason): HeldItem {
  const id = createHash('sha256').update(`${key} ${reason.kind}`).digest('hex').slice(0, 8);
  return {
    id,
    object: key,
    why: `${describeKey(key)}: ${holdText(reason)}`,
    command: DECIDE,
  };
}

/** Until there is a command for it, the decision is made by hand; both ways end the hold by themselves. */
const DECIDE =
  'to drop it, drop it on this server; to keep it, create it on another node, with which it is then merged';

function holdText(reason: HoldReason): string {
  switch (reason.kind) {
    case 'tombstone':
      return `only on this joining server, and dropped in the cluster at version ${reason.version}`;
    case 'user-of-joining-server':
      return 'a user that only this joining server has';
    case 'away-too-long':
      return 'only on this server, which was away for longer than the cluster remembers drops';
    case 'join-pull':
      return 'only on this server, and agent.join = "pull" shares nothing of a joining server';
  }
}

/** The end of a tick as one sentence. */
export function sentenceOf(state: {
  readonly cluster: string;
  readonly version: number;
  readonly steps: readonly StepTaken[];
  readonly pending: number;
  readonly held: number;
  readonly joined?: string | undefined;
}): string {
  const did = doneText(state.steps);
  const waits = [
    ...(state.pending > 0 ? [`${state.pending} pending`] : []),
    ...(state.held > 0 ? [`${state.held} held for a person`] : []),
  ];
  const where = `${state.cluster} at version ${state.version}`;
  const parts = [
    ...(state.joined === undefined ? [] : [`joined (${state.joined})`]),
    did === '' ? `in step with ${where}` : `${did}; ${where}`,
    ...waits,
  ];
  return parts.join(', ');
}

function doneText(steps: readonly StepTaken[]): string {
  const count = (direction: StepTaken['direction']) =>
    steps.filter((step) => step.direction === direction).length;
  const plural = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;
  const [pushed, applied] = [count('push'), count('apply')];
  return [
    ...(pushed > 0 ? [`pushed ${plural(pushed, 'change')}`] : []),
    ...(applied > 0 ? [`applied ${plural(applied, 'change')}`] : []),
  ].join(' and ');
}

/** What a plan would do, one line each: the steps of a dry run. */
export function stepsOfPlan(plan: Plan): StepTaken[] {
  const pushed = (plan.push?.changed ?? []).map((object): StepTaken => {
    const goes = plan.push?.schema.has(object) === false;
    return {
      object,
      direction: 'push',
      text: `${describeKey(object)}: ${goes ? 'dropped' : 'created or changed'} in the cluster`,
    };
  });
  return [...pushed, ...plan.applies.map(stepOfApply)];
}

const APPLY_WORDS = { create: 'created', alter: 'altered', drop: 'dropped' } as const;

export function stepOfApply(apply: Apply): StepTaken {
  return {
    object: apply.key,
    direction: 'apply',
    text: `${describeKey(apply.key)}: ${APPLY_WORDS[apply.kind]} here`,
  };
}
