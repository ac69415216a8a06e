// The guard's judgement over a whole plan: too many drops and shorter durations that are not proven are held for a person,
// exactly these. Agents count what they first see after a gap; what comes from nobody's node the manager counts.
import type { GuardCounts } from '../../shared/meta/guard-rule.js';
import { addCounts, countAll, countChanges, guardVerdict } from '../../shared/meta/guard-rule.js';
import type { ObjectKey } from '../../shared/meta/model.js';
import type { Passed } from './base.js';
import { lately } from './base.js';
import { plan } from './plan.js';
import type { Plan, PlanInput } from './plan-types.js';

const NOTHING: ReadonlySet<ObjectKey> = new Set();

export interface GuardState {
  /** `guard.max-drops`; Infinity: there is no guard. */
  readonly maxDrops: number;
  readonly passed: readonly Passed[];
}

/**
 * The plan that may be carried out: what is not proven goes through while it is little, else it is held. What is held stays
 * so by the base, because the next look is not the first after a gap any more.
 */
export function guardedPlan(
  input: Omit<PlanInput, 'guarded'>,
  { maxDrops, passed }: GuardState,
): Plan {
  const planned = plan({ ...input, guarded: NOTHING });
  if (planned.unproven.length === 0 || maxDrops === Number.POSITIVE_INFINITY) return planned;
  const now = new Set(planned.unproven.map(({ key }) => key));
  const before = countChanges(earlier(lately(passed, input.nowMs), now));
  const verdict = guardVerdict({
    passed: before,
    now: countChanges(planned.unproven),
    of: addCounts(larger(countAll(input.local), countAll(input.remote)), before),
    maxDrops,
  });
  if (verdict === 'pass') return planned;
  return plan({ ...input, guarded: now });
}

/** A tick that was cut short noted its changes already: they are not counted twice. */
function earlier(
  passed: readonly Passed[],
  now: ReadonlySet<ObjectKey>,
): { readonly key: ObjectKey }[] {
  const keys = new Set(passed.flatMap((each) => each.keys));
  return [...keys].filter((key) => !now.has(key)).map((key) => ({ key }));
}

/** Of a change that one side has made already the other side still shows what there was. */
function larger(a: GuardCounts, b: GuardCounts): GuardCounts {
  return {
    databases: Math.max(a.databases, b.databases),
    policies: Math.max(a.policies, b.policies),
  };
}
