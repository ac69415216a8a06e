// What a write has come to, of what became of its batches: one answer, in influxd's words where influxd would have said it.
// Pure.
import type { GatewayError } from '../errors.js';
import type { FanOutResult } from './fan-out.js';
import { neededOwners, type Level } from './level.js';
import { isDone, type OwnerResult } from './level-wait.js';

/** How far the points have come; of the answer's headers. */
export interface Spread {
  /** Owners that applied a batch, the least over all shards. */
  readonly applied: number;
  /** Owners that have a hint here. */
  readonly hinted: number;
}

/** What was judged before anything was sent. */
export interface Judged {
  /** Lines beyond the retention policy. */
  readonly beyond: number;
  /** influxd's words on the lines that don't parse; undefined: all do. */
  readonly unparsed: string | undefined;
  /** What is said where all owners of a batch know that its database or policy is gone. */
  readonly gone: GatewayError;
}

export interface BatchResult extends FanOutResult {
  /** Id in the placement. */
  readonly group: number;
}

/** Clients that are told to come again: an owner that was restarted is back about then. */
const RETRY_AFTER_SECONDS = 1;

export function spreadOf(results: readonly BatchResult[]): Spread {
  const applied = results.map(({ owners }) => owners.filter(({ state }) => isDone(state)).length);
  const hinted = new Set(
    results.flatMap(({ owners }) =>
      owners.filter(({ state }) => state.kind === 'hinted').map(({ node }) => node),
    ),
  );
  return { applied: Math.min(...applied, Number.MAX_SAFE_INTEGER), hinted: hinted.size };
}

/** Undefined: 204. What is not safe comes first, then what influxd would have said first. */
export function faultOf(
  results: readonly BatchResult[],
  level: Level,
  judged: Judged,
): GatewayError | undefined {
  const unsafe = results.map(unsafeOf).find((each) => each !== undefined);
  if (unsafe !== undefined) return unsafe;
  const short = results.find(({ isLevelReached }) => !isLevelReached);
  if (short !== undefined) return notReached(short, level);
  const gone = results.find(
    ({ owners }) => owners.length > 0 && owners.every(({ state }) => state.kind === 'gone'),
  );
  if (gone !== undefined) return judged.gone;
  const refused = results.map(refusalOf).find((each) => each !== undefined);
  if (refused !== undefined) return badRequest(refused);
  if (judged.beyond > 0) {
    return badRequest(
      `partial write: points beyond retention policy dropped=${String(judged.beyond)}`,
    );
  }
  if (judged.unparsed !== undefined) {
    return badRequest(`partial write: ${judged.unparsed} dropped=0`);
  }
  return undefined;
}

export function badRequest(error: string): GatewayError {
  return { status: 400, code: 'bad-request', error };
}

export function databaseNotFound(database: string): GatewayError {
  return {
    status: 404,
    code: 'database-not-found',
    error: `database not found: ${quoted(database)}`,
  };
}

export function policyNotFound(policy: string): GatewayError {
  return {
    status: 500,
    code: 'retention-policy-not-found',
    error: `retention policy not found: ${policy}`,
  };
}

/** An owner of which it could not be recorded that it lacks the points: nobody may believe that they are safe. */
export function unsafeFault(node: number, why: string, because: string): GatewayError {
  return {
    status: 503,
    code: 'hint-not-kept',
    error: `node ${String(node)} has not got these points, no hint could be kept for it (${why}), and that could not be recorded (${because}); what was applied stays, send it again`,
    isSafeToRetry: true,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}

/** Of an owner that could answer reads without these points. */
function unsafeOf({ owners }: BatchResult): GatewayError | undefined {
  for (const { state } of owners) {
    if (state.kind === 'lost' && state.fault !== undefined) return state.fault;
  }
  return undefined;
}

function refusalOf({ refused, owners }: BatchResult): string | undefined {
  if (refused !== undefined) return refused.text;
  for (const { state } of owners) if (state.kind === 'refused') return state.text;
  return undefined;
}

function notReached({ owners }: BatchResult, level: Level): GatewayError {
  const count = (test: (owner: OwnerResult) => boolean) => String(owners.filter(test).length);
  const needed = neededOwners(level, owners.length);
  const applied = count(({ state }) => isDone(state));
  const hinted = count(({ state }) => state.kind === 'hinted');
  const reasons = owners.flatMap(({ node, state }) =>
    (state.kind === 'hinted' || state.kind === 'lost') && state.why !== undefined
      ? [` (node ${String(node)}: ${state.why})`]
      : [],
  );
  return {
    status: 503,
    code: 'level-not-reached',
    error:
      `consistency level ${level} needs ${String(needed)} of ${String(owners.length)} owners: ${applied} applied the points, ` +
      `${hinted} will get them from here; what was applied stays, and it is safe to send them again${reasons[0] ?? ''}`,
    isSafeToRetry: true,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}

/** As Go's %q, for the characters that names of databases have as a rule. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
