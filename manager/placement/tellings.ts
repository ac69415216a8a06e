// The words of the events that placement tells. Pure.
import type { NewEvent } from '../events/event-log.js';
import type { PlacementState } from './state.js';

export function membersChanged(before: PlacementState, after: PlacementState): NewEvent[] {
  const events: NewEvent[] = [];
  for (const id of after.members) {
    if (before.members.includes(id)) continue;
    events.push({ node: id, kind: 'member', text: `node ${id} counts for placement now` });
  }
  for (const id of before.members) {
    if (after.members.includes(id)) continue;
    const why = after.out.includes(id) ? 'it was silent for too long' : 'it is not registered';
    const text = `node ${id} no longer counts for placement: ${why}`;
    events.push({ node: id, kind: 'member', text });
  }
  return events;
}

/** @param groups ids; at least one */
export function groupsCut(groups: readonly number[], at: string, why: string): NewEvent {
  const text = `${counted(groups.length)} cut at ${at}: ${why}`;
  return { node: null, kind: 'cut', text, after: { groups: groups.slice(0, KEPT_IDS), at } };
}

export function markedIncomplete(node: number, groups: readonly number[], why: string): NewEvent {
  const text = `node ${node} may lack points of ${counted(groups.length)}: ${why}`;
  return { node, kind: 'incomplete', text, after: { groups: groups.slice(0, KEPT_IDS), why } };
}

export function orderUnsure(node: number, groups: readonly number[]): NewEvent {
  const text = `node ${node} may have older values for newer ones in ${counted(groups.length)}, where points were written anew while it did not answer`;
  return { node, kind: 'order-unsure', text, after: { groups: groups.slice(0, KEPT_IDS) } };
}

export function markedComplete(node: number, groups: readonly number[], by: string): NewEvent {
  const text = `node ${node} was marked complete for ${counted(groups.length)} by ${by}`;
  return { node, kind: 'complete', text, after: { groups: groups.slice(0, KEPT_IDS) } };
}

export function adopted(node: number, groups: readonly number[]): NewEvent {
  const text = `node ${node} brought ${counted(groups.length)} with data`;
  return { node, kind: 'adopted', text, after: { groups: groups.slice(0, KEPT_IDS) } };
}

/** Groups that a forced deregistration leaves without a complete owner. */
export function dataGivenUp(node: number, groups: readonly number[], by: string): NewEvent {
  const text = `node ${node} was deregistered by ${by}, by force: ${counted(groups.length)} had it as the only complete owner, and hints that it held for others are lost`;
  return { node, kind: 'data-given-up', text, after: { groups: groups.slice(0, KEPT_IDS) } };
}

const KEPT_IDS = 100;

function counted(count: number): string {
  return count === 1 ? '1 shard group' : `${count} shard groups`;
}
