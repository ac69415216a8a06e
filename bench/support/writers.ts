// Writers of prepared bodies over kept connections: each sends its next one when the one before is answered. What is measured
// is the way of the bytes; nothing is made or parsed meanwhile.
import { Pool } from 'undici';
import { DATABASE } from './data-cluster.js';

export interface Written {
  readonly bodies: number;
  readonly tookMs: number;
  /** Of each write, in ms. */
  readonly latencies: readonly number[];
}

const TIMEOUT_MS = 60_000;

export class WriteTarget {
  private readonly pool: Pool;
  private readonly path: string;

  /** @param level '' : the server's default. */
  constructor(
    readonly url: string,
    connections: number,
    level = '',
  ) {
    this.pool = new Pool(url, { connections, pipelining: 1, headersTimeout: TIMEOUT_MS });
    this.path = `/write?db=${DATABASE}${level === '' ? '' : `&consistency=${level}`}`;
  }

  /** '' where it was acknowledged, else the code of the refusal. */
  async send(body: Uint8Array): Promise<string> {
    const answer = await this.pool.request({ method: 'POST', path: this.path, body });
    await answer.body.dump();
    if (answer.statusCode === 204) return '';
    return `${answer.statusCode} ${String(answer.headers['x-clusterflux-code'] ?? '')}`;
  }

  /** Throws for any answer but 204. */
  async write(body: Uint8Array): Promise<void> {
    const answer = await this.pool.request({ method: 'POST', path: this.path, body });
    const text = await answer.body.text();
    if (answer.statusCode !== 204) {
      throw new Error(`writing to ${this.url} was answered with ${answer.statusCode}: ${text}`);
    }
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }
}

/** Writes each body once to each target of its group, by so many writers at a time. */
export async function writeAll(
  bodies: readonly Uint8Array[],
  writers: number,
  write: (body: Uint8Array) => Promise<unknown>,
): Promise<Written> {
  let next = 0;
  const latencies: number[] = [];
  const started = performance.now();
  const writer = async (): Promise<void> => {
    for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) {
      const sent = performance.now();
      await write(body);
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  return { bodies: bodies.length, tookMs: performance.now() - started, latencies };
}
