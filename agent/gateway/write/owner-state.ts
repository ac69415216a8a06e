// What has become of a batch at one owner, and what is to be done about what an owner answered. Pure.
import type { GatewayError } from '../errors.js';
import type { ApplyOutcome } from '../owner/port.js';

export type OwnerState =
  /** On the owner's disk. */
  | { readonly kind: 'applied' }
  /** Final: influxd refused lines; the rest is applied. */
  | { readonly kind: 'refused'; readonly text: string; readonly dropped: number }
  /** Final: the points have nowhere to go. */
  | { readonly kind: 'gone'; readonly why: string }
  /** Not there, but on disk here, and it will be. `why` it is not there, where that is not just its turn. */
  | { readonly kind: 'hinted'; readonly why?: string }
  /**
   * Neither there nor on disk here. `fault`: on disk here all the same, but the owner could answer reads without it, so the
   * write must not be acknowledged, and this is said.
   */
  | { readonly kind: 'lost'; readonly why: string; readonly fault?: GatewayError }
  | Again;

/** The owner knows better: the points are routed, or sent, anew by what it said. */
export interface Again {
  readonly kind: 'again';
  readonly placementVersion: number;
  readonly metadataVersion: number;
  /** The highest numbered delete that an owner has run. */
  readonly deletes: number;
}

/** Whether an owner that answered so gets a hint. `isLast`: it has been told to come again often enough. */
export function needsHint(outcome: ApplyOutcome, isLast: boolean): boolean {
  switch (outcome.kind) {
    case 'failed':
    case 'catching-up':
      return true;
    case 'stale':
    case 'deletes':
      return isLast;
    case 'applied':
    case 'refused':
    case 'gone':
    case 'too-large':
      return false;
  }
}

/** Of an outcome that needs no hint. */
export function stateOf(outcome: ApplyOutcome): OwnerState {
  switch (outcome.kind) {
    case 'applied':
    case 'refused':
    case 'gone':
      return outcome;
    case 'stale': {
      const { placementVersion, metadataVersion } = outcome;
      return { kind: 'again', placementVersion, metadataVersion, deletes: 0 };
    }
    case 'deletes':
      return { kind: 'again', placementVersion: 0, metadataVersion: 0, deletes: outcome.deletes };
    case 'too-large':
      // One line alone, more than influxd takes at once: as influxd says it, and final.
      return { kind: 'refused', text: 'Request Entity Too Large', dropped: 1 };
    case 'failed':
      return { kind: 'lost', why: outcome.why };
    case 'catching-up':
      return { kind: 'lost', why: 'it takes no direct writes yet' };
  }
}

/** What is known once a request that was given a hint has ended too. */
export function laterOf(hinted: OwnerState, outcome: ApplyOutcome): OwnerState {
  const isFinal =
    outcome.kind === 'applied' || outcome.kind === 'refused' || outcome.kind === 'gone';
  return isFinal ? outcome : hinted;
}

/** Two halves of a batch at one owner, as one outcome: what has to be said of the whole. */
export function joined(first: ApplyOutcome, second: ApplyOutcome): ApplyOutcome {
  if (first.kind === 'refused' && second.kind === 'refused') {
    return { ...first, dropped: first.dropped + second.dropped };
  }
  const order: readonly ApplyOutcome['kind'][] = [
    'failed',
    'catching-up',
    'stale',
    'deletes',
    'gone',
    'refused',
  ];
  for (const kind of order) {
    if (first.kind === kind) return first;
    if (second.kind === kind) return second;
  }
  return first;
}
