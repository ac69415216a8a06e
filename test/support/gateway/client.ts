// A client of a gateway for tests of one request at a time: what was answered, with the headers that ClusterFlux adds. It judges
// nothing and never tries again.
const WITHIN_MS = 15_000;

export interface Answered {
  readonly status: number;
  /** `X-Clusterflux-Code`; '' where there is none. */
  readonly code: string;
  readonly text: string;
  readonly headers: Headers;
}

export interface Read extends Answered {
  /** Of the first result. */
  readonly series: readonly Series[];
  /** The first that the body names; '' where there is none. */
  readonly error: string;
  /** Node id; NaN where the answer names none. */
  readonly servedBy: number;
}

export interface Series {
  readonly name?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values?: readonly (readonly unknown[])[];
}

interface Body {
  readonly error?: string;
  readonly results?: readonly { readonly error?: string; readonly series?: readonly Series[] }[];
}

/** Times are in nanoseconds unless `params.precision` says otherwise. */
export function write(
  url: string,
  database: string,
  lines: string | readonly string[],
  params: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const query = new URLSearchParams({ db: database, ...params });
  const body = typeof lines === 'string' ? lines : lines.join('\n');
  return post(`${url}/write?${query.toString()}`, body);
}

/** Times of the answer are in nanoseconds, as numbers. */
export async function read(
  url: string,
  database: string,
  q: string,
  params: Readonly<Record<string, string>> = {},
): Promise<Read> {
  const query = new URLSearchParams({ db: database, epoch: 'ns', ...params });
  const answer = await post(`${url}/query?${query.toString()}`, new URLSearchParams({ q }));
  const body = JSON.parse(answer.text) as Body;
  const [first] = body.results ?? [];
  return {
    ...answer,
    series: first?.series ?? [],
    error: body.error ?? first?.error ?? '',
    servedBy: Number(answer.headers.get('x-clusterflux-served-by') ?? 'NaN'),
  };
}

/** `SELECT count(v)`, with who answered. */
export async function countOf(
  url: string,
  database: string,
  from = 'm',
): Promise<{ count: number; servedBy: number; error: string }> {
  const { series, servedBy, error } = await read(url, database, `SELECT count(v) FROM ${from}`);
  return { count: Number(series[0]?.values?.[0]?.[1] ?? 0), servedBy, error };
}

async function post(url: string, body: string | URLSearchParams): Promise<Answered> {
  const signal = AbortSignal.timeout(WITHIN_MS);
  const answer = await fetch(url, { method: 'POST', body, signal });
  const { status, headers } = answer;
  const code = headers.get('x-clusterflux-code') ?? '';
  return { status, code, headers, text: await answer.text() };
}
