// What a heartbeat says is held, as it is kept: texts of a person's length. A heartbeat is never refused for a long text,
// because a node whose heartbeats are refused counts as lost.
import type { HeldList } from '../../shared/api/orders.js';
import type { HeldRecord } from '../nodes/orders-record.js';

const MAX_ID = 200;
/** Two names of 255 bytes, and the words around them. */
const MAX_TEXT = 600;

export function heldOf(held: HeldList | undefined): HeldRecord | undefined {
  if (held === undefined) return undefined;
  const { digest, count } = held;
  const items = held.items.map(({ id, object, why, command, kind }) => ({
    id: cut(id, MAX_ID),
    object: cut(object, MAX_TEXT),
    why: cut(why, MAX_TEXT),
    command: cut(command, MAX_TEXT),
    kind,
  }));
  return { digest, count, items };
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
