// A client of one gateway that can tell apart what an answer to a write leaves: acknowledged, declined, certainly not sent, not
// known; and that takes a read for whole only where the gateway says that it is.
import type { BatchFate } from './ledger.js';

export interface WriteRequest {
  readonly database: string;
  /** '' : the database's default. */
  readonly policy: string;
  readonly precision: string;
  readonly level: string;
  readonly lines: string;
}

export type WriteAnswer =
  | { readonly kind: 'acknowledged'; readonly applied: number; readonly hinted: number }
  | {
      readonly kind: 'declined';
      readonly status: number;
      readonly code: string;
      readonly isSafeToRetry: boolean;
      readonly text: string;
    }
  /** Nobody listened. */
  | { readonly kind: 'not-sent' }
  | { readonly kind: 'unknown'; readonly why: string };

export type ReadAnswer =
  | {
      readonly kind: 'whole';
      /** Node id. */
      readonly servedBy: number;
      readonly series: readonly AnswerSeries[];
    }
  | { readonly kind: 'failed'; readonly why: string };

export interface AnswerSeries {
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values: readonly (readonly unknown[])[];
}

/** Longer than a gateway waits for a level that it can't reach (10 s). */
const WRITE_WITHIN_MS = 15_000;
/** Longer than it waits for an owner that may answer (1 s) on a busy machine. */
const READ_WITHIN_MS = 10_000;

export async function writePoints(url: string, request: WriteRequest): Promise<WriteAnswer> {
  const { database, policy, precision, level, lines } = request;
  const params = new URLSearchParams({ db: database, precision, consistency: level });
  if (policy !== '') params.set('rp', policy);
  try {
    const answer = await fetch(`${url}/write?${params.toString()}`, {
      method: 'POST',
      body: lines,
      signal: AbortSignal.timeout(WRITE_WITHIN_MS),
    });
    const text = await answer.text();
    const { status, headers } = answer;
    if (status === 204) {
      const count = (name: string) => Number(headers.get(name) ?? 'NaN');
      const applied = count('x-clusterflux-applied');
      return { kind: 'acknowledged', applied, hinted: count('x-clusterflux-hinted') };
    }
    const code = headers.get('x-clusterflux-code') ?? '';
    const isSafeToRetry = headers.get('x-clusterflux-retry') === 'safe';
    return { kind: 'declined', status, code, isSafeToRetry, text };
  } catch (error) {
    return isRefused(error) ? { kind: 'not-sent' } : { kind: 'unknown', why: reasonOf(error) };
  }
}

/** Runs one SELECT. */
export async function readPoints(url: string, database: string, q: string): Promise<ReadAnswer> {
  try {
    const params = new URLSearchParams({ db: database, epoch: 's' });
    const answer = await fetch(`${url}/query?${params.toString()}`, {
      method: 'POST',
      body: new URLSearchParams({ q }),
      signal: AbortSignal.timeout(READ_WITHIN_MS),
    });
    const text = await answer.text();
    if (answer.status !== 200) return { kind: 'failed', why: `${answer.status} ${text}` };
    const body = JSON.parse(text) as Body;
    const error = body.error ?? body.results?.find((result) => result.error !== undefined)?.error;
    if (error !== undefined) return { kind: 'failed', why: `200 ${error}` };
    if (answer.headers.get('x-clusterflux-complete') !== 'true') {
      return { kind: 'failed', why: '200, and not said to be complete' };
    }
    const servedBy = Number(answer.headers.get('x-clusterflux-served-by') ?? 'NaN');
    return { kind: 'whole', servedBy, series: body.results?.[0]?.series ?? [] };
  } catch (error) {
    return { kind: 'failed', why: isRefused(error) ? 'nobody listens' : reasonOf(error) };
  }
}

interface Body {
  readonly error?: string;
  readonly results?: readonly {
    readonly error?: string;
    readonly series?: readonly AnswerSeries[];
  }[];
}

/** What may be there after an answer. */
export function fateOf(answer: WriteAnswer): BatchFate {
  switch (answer.kind) {
    case 'acknowledged':
      return 'acknowledged';
    case 'unknown':
      return 'unknown';
    case 'not-sent':
      return 'nowhere';
    case 'declined':
      if (SHORT.has(answer.code)) return 'short';
      return NOTHING_WRITTEN.has(answer.code) ? 'nowhere' : 'unknown';
  }
}

/** Codes of refusals after which what was applied or hinted stays. */
const SHORT: ReadonlySet<string> = new Set(['level-not-reached', 'isolated']);

/** Codes of refusals that come before anything is sent to an owner. */
const NOTHING_WRITTEN: ReadonlySet<string> = new Set([
  ...['no-group', 'manager-unreachable', 'metadata-unknown', 'queue-full'],
  ...['bad-request', 'database-not-found', 'retention-policy-not-found'],
]);

function isRefused(error: unknown): boolean {
  return causeOf(error) === 'ECONNREFUSED';
}

function reasonOf(error: unknown): string {
  return causeOf(error) ?? String(error);
}

function causeOf(error: unknown): string | undefined {
  return (error as { cause?: { code?: string } }).cause?.code;
}
