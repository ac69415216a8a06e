// A user's client of one influxd, which can tell apart: done, refused, certainly not done, and not known.
import type { TestInfluxd } from '../influxd.js';

export type Answer =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly text: string }
  /** Nobody listened: nothing was sent. */
  | { readonly kind: 'not-sent' }
  /** The connection broke or the answer did not come in time; it may be done even later. */
  | { readonly kind: 'unknown' };

/** Longer than any statement takes on a busy machine, shorter than a pause in a test. */
const ANSWER_WITHIN_MS = 3_000;

export async function runStatement(influxd: TestInfluxd, text: string): Promise<Answer> {
  return answerOf(async () => {
    const answer = await post(`${influxd.url}/query`, new URLSearchParams({ q: text }));
    const body = (await answer.json()) as { error?: string; results?: { error?: string }[] };
    return body.error ?? body.results?.find(({ error }) => error !== undefined)?.error;
  });
}

/** One point of the measurement `m` with the integer field `v`. */
export async function writePoint(
  influxd: TestInfluxd,
  { database, policy, v }: { database: string; policy: string; v: number },
): Promise<Answer> {
  return answerOf(async () => {
    const params = new URLSearchParams({ db: database, rp: policy });
    const answer = await post(`${influxd.url}/write?${params.toString()}`, `m v=${v}i`);
    const text = await answer.text();
    return answer.status === 204 ? undefined : text;
  });
}

function post(url: string, body: URLSearchParams | string): Promise<Response> {
  return fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
}

async function answerOf(ask: () => Promise<string | undefined>): Promise<Answer> {
  try {
    const refusal = await ask();
    return refusal === undefined ? { kind: 'done' } : { kind: 'refused', text: refusal };
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    return { kind: cause?.code === 'ECONNREFUSED' ? 'not-sent' : 'unknown' };
  }
}
