// Cuts: an end of a group that is announced ahead of its time and counts once every member has confirmed it. Pure.
import type { PlacedGroup } from '../../shared/placement/model.js';
import { endOf, isWritable } from '../../shared/placement/rules.js';
import { mapGroups, type PlacementState } from './state.js';

/** A cut that was not confirmed in its time is announced anew, so many leads ahead: a member is away, and each one is a version. */
const ANEW_LEADS = 5n;

/**
 * Announces an end at `atNs` for those of the groups that still take points then and have no cut. A group that has not begun
 * by then is cut at its start: it ends empty.
 */
export function cutGroups(
  state: PlacementState,
  atNs: bigint,
  isMeant: (group: PlacedGroup) => boolean,
): PlacementState {
  const announced = new Map(state.announced);
  const next = mapGroups(state, (group) => {
    if (!isWritable(group) || group.cut !== undefined || endOf(group) <= atNs) return group;
    if (!isMeant(group)) return group;
    announced.set(group.id, state.version + 1);
    const at = group.startNs > atNs ? group.startNs : atNs;
    return { ...group, cut: { atNs: at, confirmed: [], counts: false } };
  });
  return next === state ? state : { ...next, announced };
}

/** Notes that a node knows all cuts that were announced up to this version. */
export function confirmCuts(state: PlacementState, node: number, version: number): PlacementState {
  return mapGroups(state, (group) => {
    const { cut } = group;
    const announced = state.announced.get(group.id);
    if (cut === undefined || cut.counts || announced === undefined || announced > version) {
      return group;
    }
    if (cut.confirmed.includes(node)) return group;
    const confirmed = [...cut.confirmed, node].sort((a, b) => a - b);
    return { ...group, cut: { ...cut, confirmed } };
  });
}

/** Lets those cuts count that every member has confirmed before their time. */
export function settleCuts(state: PlacementState, nowNs: bigint): PlacementState {
  const announced = new Map(state.announced);
  const next = mapGroups(state, (group) => {
    const { cut } = group;
    if (cut === undefined || cut.counts || cut.atNs <= nowNs) return group;
    if (state.members.length === 0) return group;
    if (!state.members.every((member) => cut.confirmed.includes(member))) return group;
    announced.delete(group.id);
    return { ...group, cut: { ...cut, counts: true } };
  });
  return next === state ? state : { ...next, announced };
}

/**
 * Cuts whose time has come unconfirmed get a later time, and are confirmed from the start; those that no longer matter go.
 * @param leadNs `placement.cut-lead`
 */
export function announceAnew(state: PlacementState, nowNs: bigint, leadNs: bigint): PlacementState {
  const announced = new Map(state.announced);
  const next = mapGroups(state, (group) => {
    const { cut } = group;
    if (cut === undefined || cut.counts || cut.atNs > nowNs) return group;
    const atNs = nowNs + ANEW_LEADS * leadNs;
    if (atNs >= group.endNs) {
      announced.delete(group.id);
      return withoutCut(group);
    }
    announced.set(group.id, state.version + 1);
    return { ...group, cut: { atNs, confirmed: [], counts: false } };
  });
  return next === state ? state : { ...next, announced };
}

function withoutCut(group: PlacedGroup): PlacedGroup {
  const rest: { -readonly [K in keyof PlacedGroup]: PlacedGroup[K] } = { ...group };
  delete rest.cut;
  return rest;
}
