// What a joining node has and the cluster has not: shared, or held for a person because it may be what others dropped.
import type { ObjectKey } from '../../shared/meta/model.js';
import { nameOf } from '../../shared/meta/model.js';
import type { HoldReason } from './base.js';
import type { PlanInput } from './plan-types.js';

export function joinHold(key: ObjectKey, input: PlanInput): HoldReason | undefined {
  const stone = input.tombstones.findLast((candidate) => candidate.key === key);
  if (stone !== undefined) return { kind: 'tombstone', version: stone.version };
  if (input.wasAwayTooLong) return { kind: 'away-too-long' };
  if (input.joinPolicy === 'pull') return { kind: 'join-pull' };
  if (nameOf(key).kind === 'user' && hasUsers(input)) return { kind: 'user-of-joining-server' };
  return undefined;
}

/** Once a cluster has users, a server that joins could bring one with a password that nobody there knows. */
function hasUsers({ remote }: PlanInput): boolean {
  for (const { kind } of remote.values()) if (kind === 'user') return true;
  return false;
}
