// What waits for a person's decision, read from the base: the list, its name, and the words for each item.
import { createHash } from 'node:crypto';
import { describeKey } from '../../shared/meta/diff.js';
import type { ObjectKey } from '../../shared/meta/model.js';
import type { BaseEntry, GuardHold, HoldReason } from './base.js';
import type { HeldItem } from './port.js';

/** Everything that the base holds, in the order of keys. */
export function heldItems(
  entries: ReadonlyMap<ObjectKey, BaseEntry>,
  nodeId: number | undefined,
): HeldItem[] {
  const items: HeldItem[] = [];
  for (const [key, { hold, guard, heldSinceMs = 0 }] of entries) {
    if (hold !== undefined) items.push(heldItem(key, { kind: 'join', hold, heldSinceMs }, nodeId));
    if (guard !== undefined)
      items.push(heldItem(key, { kind: 'guard', guard, heldSinceMs }, nodeId));
  }
  return items.sort((a, b) => (a.object < b.object ? -1 : 1));
}

/** The name of exactly this list, and of this occasion: what is approved is approved as a whole, and once. */
export function digestOfHeld(items: readonly HeldItem[]): string {
  return digest(items.map(({ id }) => id).join(' ')).slice(0, 16);
}

type Held = { readonly heldSinceMs: number } & (
  | { readonly kind: 'join'; readonly hold: HoldReason }
  | { readonly kind: 'guard'; readonly guard: GuardHold }
);

function heldItem(key: ObjectKey, held: Held, nodeId: number | undefined): HeldItem {
  const why = held.kind === 'join' ? joinText(held.hold) : guardText(held.guard);
  const id = digest(`${key} ${JSON.stringify(held)}`).slice(0, 8);
  const decide = `clusterflux meta approve ${nodeId ?? 'NODE'}`;
  return {
    id,
    object: key,
    kind: held.kind,
    why: `${describeKey(key)}: ${why}`,
    command: `${decide} --keep, or ${decide} --drop`,
  };
}

function joinText(reason: HoldReason): string {
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

/** The guard's words: who did it, and who would lose points. */
function guardText({ change, side }: GuardHold): string {
  const did = change === 'drop' ? 'dropped' : 'given a shorter duration';
  const where =
    side === 'cluster'
      ? `${did} on this server, and not yet in the cluster`
      : `${did} in the cluster, and not yet on this server`;
  return `${where}; seen after a gap together with more of its kind than pass without a person (guard.max-drops)`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
