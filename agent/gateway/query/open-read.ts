// Opens a read on the best node that can answer it, and goes on to the next one until the first byte of an answer is here:
// influxd sends its headers before it executes, so only the body tells. Nothing is given to the client here.
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, isAbort, messageOf } from '../../../shared/errors/app-error.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { Reader, ReadOutcome, ReadQuery } from '../owner/port.js';
import type { Refusal } from './port.js';
import type { Candidate, Route } from './route.js';

export interface OpenedRead {
  readonly kind: 'opened';
  readonly node: number;
  readonly status: number;
  readonly contentType: string;
  /** influxd's X-Influxdb-Error, where it sent one. */
  readonly error: string | undefined;
  /** What the answer lacks; '' : nothing. */
  readonly missing: string;
  /** Throws where the owner's answer breaks off. */
  readonly body: AsyncIterable<Buffer>;
}

export interface ReadOpenerDeps {
  readonly reader: Reader;
  readonly logger: Logger;
}

/** Where all owners may lack points, this long one of them may need to hear from its peers again (design: 1 s). */
const WAIT_FOR_OWNERS_MS = 1_000;
/**
 * An owner whose machine has vanished neither answers nor refuses. As long as another one can be asked, each gets so long for its
 * headers, which influxd sends before it executes; to ask twice costs little.
 */
const HEAD_WITHIN_MS = 1_000;
const MIN_PAUSE_MS = 20;
const MAX_PAUSE_MS = 250;
const RETRY_AFTER_SECONDS = 1;

/** What influxd says to whom it can't serve any more, because it is stopping or a shard is closed for a moment. */
const PASSING =
  /^\{\s*"results":\s*\[\s*\{\s*"statement_id":\s*0,\s*"error":\s*"[^"]*(?:engine is closed|shard is disabled|store is closed|query engine shutdown|index is closing|tsdb store closed|shard is closed)/;
/** Beyond this an error's document does not go. */
const MAX_ERROR_BYTES = 1024;

type ReadTemplate = Omit<ReadQuery, 'groups'>;

/** Where a read may go, by what is known at this moment. */
export interface ReadPlan {
  readonly route: Route;
  readonly query: ReadTemplate;
}

type Attempt =
  | { readonly kind: 'opened'; readonly read: OpenedRead }
  | { readonly kind: 'behind'; readonly why: string; readonly retryAfterMs: number }
  | { readonly kind: 'failed'; readonly why: string };

export class ReadOpener {
  constructor(private readonly deps: ReadOpenerDeps) {}

  /**
   * `plan` is asked again before each round: an owner that knows a newer placement counts as behind, and by then we know it too.
   * Rejects only with AppError `aborted`.
   */
  async open(
    plan: () => ReadPlan,
    allowsPartial: boolean,
    signal: AbortSignal,
  ): Promise<OpenedRead | Refusal> {
    const untilMs = performance.now() + WAIT_FOR_OWNERS_MS;
    for (;;) {
      const { route, query } = plan();
      if (route.kind === 'refused') return route;
      const round = await this.tryAll(route.candidates, query, signal);
      if (round.kind === 'opened') return round.read;
      if (round.behind === undefined) return failed(round.whys);
      if (allowsPartial) {
        const lacking = await this.tryLacking(route.candidates, round.behind.node, query, signal);
        if (lacking !== undefined) return { ...lacking, missing: round.behind.why };
      }
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) return behind(round.behind.why);
      const pauseMs = Math.min(Math.max(round.behind.retryAfterMs, MIN_PAUSE_MS), MAX_PAUSE_MS);
      await pause(Math.min(pauseMs, leftMs), signal);
    }
  }

  private async tryAll(
    candidates: readonly Candidate[],
    query: ReadTemplate,
    signal: AbortSignal,
  ): Promise<
    | { readonly kind: 'opened'; readonly read: OpenedRead }
    | {
        readonly kind: 'none';
        readonly behind: { node: number; why: string; retryAfterMs: number } | undefined;
        readonly whys: readonly string[];
      }
  > {
    let behind: { node: number; why: string; retryAfterMs: number } | undefined;
    const whys: string[] = [];
    for (const [index, candidate] of candidates.entries()) {
      const isLastHope = index === candidates.length - 1 && behind === undefined;
      const attempt = await this.attempt(candidate, query, signal, !isLastHope);
      if (attempt.kind === 'opened') return attempt;
      const { node } = candidate;
      const why = `node ${node.toString()}: ${attempt.why}`;
      whys.push(why);
      if (attempt.kind === 'behind') behind ??= { node, why, retryAfterMs: attempt.retryAfterMs };
      else
        this.deps.logger.debug('an owner could not answer a read', { node, reason: attempt.why });
    }
    return { kind: 'none', behind, whys };
  }

  /** The client takes an answer that may lack points: nothing is asked of the node then. */
  private async tryLacking(
    candidates: readonly Candidate[],
    node: number,
    query: ReadTemplate,
    signal: AbortSignal,
  ): Promise<OpenedRead | undefined> {
    const candidate = candidates.find((one) => one.node === node);
    if (candidate === undefined) return undefined;
    const attempt = await this.attempt({ ...candidate, groups: [] }, query, signal);
    return attempt.kind === 'opened' ? attempt.read : undefined;
  }

  private async attempt(
    { node, groups, missing }: Candidate,
    query: ReadTemplate,
    signal: AbortSignal,
    isLimited = false,
  ): Promise<Attempt> {
    const whole = { ...query, groups };
    const outcome = isLimited
      ? await this.readWithin(HEAD_WITHIN_MS, node, whole, signal)
      : await this.deps.reader.read(node, whole, signal);
    if (outcome.kind !== 'opened') return outcome;
    const first = await firstChunk(outcome, signal);
    if (first.kind === 'failed') return first;
    const { status, contentType, error } = outcome;
    const body = first.body;
    return {
      kind: 'opened',
      read: { kind: 'opened', node, status, contentType, error, missing, body },
    };
  }

  /** The body that follows the headers has no limit. */
  private async readWithin(
    ms: number,
    node: number,
    query: ReadQuery,
    signal: AbortSignal,
  ): Promise<ReadOutcome> {
    const late = new AbortController();
    const timer = setTimeout(() => {
      late.abort();
    }, ms);
    try {
      return await this.deps.reader.read(node, query, AbortSignal.any([signal, late.signal]));
    } catch (error) {
      if (signal.aborted || !late.signal.aborted) throw error;
      return { kind: 'failed', why: `it did not begin to answer within ${String(ms)} ms` };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Waits for the first bytes. A status of 5xx, and influxd's words for being about to stop, are failures too. */
async function firstChunk(
  { status, body }: Extract<ReadOutcome, { kind: 'opened' }>,
  signal: AbortSignal,
): Promise<{ kind: 'begun'; body: AsyncIterable<Buffer> } | { kind: 'failed'; why: string }> {
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    const first = await chunks.next();
    const text = first.done === true ? '' : headText(first.value);
    if (status >= 500) {
      await chunks.return?.();
      return { kind: 'failed', why: `influxd answers with status ${status.toString()}` };
    }
    if (PASSING.test(text)) {
      await chunks.return?.();
      return { kind: 'failed', why: `influxd answers ${text.trim()}` };
    }
    return { kind: 'begun', body: rest(first, chunks) };
  } catch (error) {
    if (signal.aborted || isAbort(error)) throw gone(error);
    return { kind: 'failed', why: `its answer broke off: ${messageOf(error)}` };
  }
}

function headText(chunk: Buffer): string {
  return chunk.length > MAX_ERROR_BYTES ? '' : chunk.toString('utf8');
}

async function* rest(
  first: IteratorResult<Buffer>,
  chunks: AsyncIterator<Buffer>,
): AsyncGenerator<Buffer> {
  try {
    for (let next = first; next.done !== true; next = await chunks.next()) yield next.value;
  } finally {
    // Ends the owner's answer where nobody wants the rest.
    await chunks.return?.();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    throw gone(error);
  }
}

function gone(cause: unknown): AppError {
  return new AppError('aborted', 'running a query: the client went away, or the gateway stops', {
    cause,
  });
}

function behind(why: string): Refusal {
  return {
    kind: 'refused',
    status: 503,
    code: 'behind',
    error: `every node that could answer may lack points that were written lately (${why}); try again`,
    isSafeToRetry: true,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}

function failed(whys: readonly string[]): Refusal {
  return {
    kind: 'refused',
    status: 503,
    code: 'owner-failed',
    error: `no node that could answer did so: ${whys.join('; ')}`,
    isSafeToRetry: true,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}
