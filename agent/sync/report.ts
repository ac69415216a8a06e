// What a tick did, as a report: one sentence, and lists for /status. Words only.
import { describeKey } from '../../shared/meta/diff.js';
import { needsMetaFile } from './live-step.js';
import type { Apply, Plan, PlannedPending } from './plan-types.js';
import type { HeldItem, PendingItem, StepTaken, TickOutcome, TickReport } from './port.js';

export function makeReport(parts: {
  readonly outcome: TickOutcome;
  readonly sentence: string;
  readonly version: number;
  readonly isInStep?: boolean;
  readonly pending?: readonly PlannedPending[];
  readonly held?: readonly HeldItem[];
  readonly steps?: readonly StepTaken[];
}): TickReport {
  return {
    outcome: parts.outcome,
    sentence: parts.sentence,
    version: parts.version,
    inStep: parts.isInStep ?? false,
    pending: uniquePending(parts.pending ?? []),
    held: parts.held ?? [],
    steps: parts.steps ?? [],
  };
}

function uniquePending(items: readonly PlannedPending[]): PendingItem[] {
  const byText = new Map<string, PendingItem>();
  for (const { key, reason, remedy, needsOffline } of items) {
    byText.set(`${key} ${reason}`, {
      object: key,
      reason: `${describeKey(key)}: ${reason}`,
      remedy,
      ...(needsOffline && { needsOffline }),
    });
  }
  return [...byText.values()];
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
  const applied = plan.applies.map((apply) =>
    needsMetaFile(apply)
      ? { ...stepOfApply(apply), needsOffline: true as const }
      : stepOfApply(apply),
  );
  return [...pushed, ...applied];
}

const APPLY_WORDS = { create: 'created', alter: 'altered', drop: 'dropped' } as const;

export function stepOfApply(apply: Apply): StepTaken {
  return {
    object: apply.key,
    direction: 'apply',
    text: `${describeKey(apply.key)}: ${APPLY_WORDS[apply.kind]} here`,
  };
}
