// Reads an answer whole: only for statements whose answers are small by their nature (names of databases, keys of tags).
import type { OpenedRead } from './open-read.js';

/** No list of names is longer; beyond this the rest is not read. */
const MAX_BYTES = 4 * 1024 * 1024;

export interface SmallAnswer {
  readonly error: string | undefined;
  readonly rows: readonly (readonly unknown[])[];
}

interface Body {
  readonly error?: string;
  readonly results?: readonly {
    readonly error?: string;
    readonly series?: readonly { readonly values?: readonly (readonly unknown[])[] }[];
  }[];
}

/** The rows of all series of the one statement. The answer has to be JSON. */
export async function readSmall({ body, error }: OpenedRead): Promise<SmallAnswer> {
  const text = await textOf(body);
  let parsed: Body;
  try {
    parsed = JSON.parse(text) as Body;
  } catch {
    // Cut off above, or none of influxd.
    return { error: error ?? 'the answer is no JSON, or larger than it can be', rows: [] };
  }
  const result = parsed.results?.[0];
  const rows = (result?.series ?? []).flatMap((series) => series.values ?? []);
  return { error: parsed.error ?? result?.error, rows };
}

export async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_BYTES) break;
  }
  return Buffer.concat(chunks).toString();
}
