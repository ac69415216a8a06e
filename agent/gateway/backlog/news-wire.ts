// What an agent tells another one about the hints that it holds for it, and what it gets for an answer.
import { z } from 'zod';

export const BACKLOG_PATH = '/peer/v1/backlog';

/**
 * How long a word that nothing is held stays good, counted from the owner's tick that it repeats: two of three may be lost.
 * So the one who tells knows when its last word has lost its force, whatever the network did to it, and no clocks are compared.
 */
export const FRESH_MS = 3_000;
/** How often each peer is told. */
export const TELL_EVERY_MS = 500;
/**
 * A list of nodes is good for a judgement for so long, counted from when it was asked for; so a write whose hint is told of by
 * a flag waits until the flag is older.
 */
export const LIST_GOOD_MS = 1_000;

/** Of one run of an agent's process. */
const boot = z.string().min(1).max(64);
const count = z.number().int().min(0);

export const newsSchema = z.object({
  /** Who tells: its uid. */
  from: z.string(),
  boot,
  /** Raised with each word: what was overtaken on its way is older. */
  sequence: count,
  /** Whether it holds hints for who is told. */
  holds: z.boolean(),
  /** The groups (ids in the placement) that they belong to; empty where it holds some: of any group. */
  groups: z.array(count),
  /** Uids of others that it holds hints for, who neither know that nor are flagged for it: whoever hears it passes it on. */
  untold: z.array(z.string()).default([]),
  /** Uids of those whose `untold` names who is told, as far as the teller has heard. */
  witnessed: z.array(z.string()).default([]),
  /** The last tick that it got in an answer. */
  tick: z.object({ boot, ms: z.number() }).optional(),
  /** All that it held when it heard of this closing of the owner's gate is delivered. */
  drained: z.object({ boot, epoch: count }).optional(),
});
export type News = z.infer<typeof newsSchema>;

export const newsAnswerSchema = z.object({
  boot,
  /** Milliseconds of the owner's own clock. */
  tick: z.number(),
  /** Raised whenever the owner begins to catch up. */
  epoch: count,
  /** Those of `untold` that will answer no read by a word from here any more that does not pass it on. */
  stands: z.array(z.string()).default([]),
  /** Its influxd answers and was looked at: hints for it can be delivered. */
  ready: z.boolean().default(true),
});
export type NewsAnswer = z.infer<typeof newsAnswerSchema>;

/** What is held for one owner. */
export type Holding =
  | { readonly kind: 'none' }
  /** `groups` undefined: of any group. */
  | { readonly kind: 'some'; readonly groups: ReadonlySet<number> | undefined };

export const NOTHING: Holding = { kind: 'none' };

/** Whether a read of these groups may lack what is held. */
export function concerns(holding: Holding, groups: readonly number[]): boolean {
  if (holding.kind === 'none') return false;
  const { groups: held } = holding;
  return held === undefined || groups.some((group) => held.has(group));
}

/** What somebody knows at least who knows one of both. */
export function commonOf(one: Holding, other: Holding): Holding {
  if (one.kind === 'none' || other.kind === 'none') return NOTHING;
  if (one.groups === undefined) return other;
  if (other.groups === undefined) return one;
  const { groups } = other;
  const both = [...one.groups].filter((group) => groups.has(group));
  return both.length === 0 ? NOTHING : { kind: 'some', groups: new Set(both) };
}

/** Whether who knows `told` learns nothing from `now` that makes it more careful. */
export function covers(told: Holding, now: Holding): boolean {
  if (now.kind === 'none') return true;
  if (told.kind !== 'some') return false;
  const known = told.groups;
  if (known === undefined) return true;
  return now.groups !== undefined && [...now.groups].every((group) => known.has(group));
}
