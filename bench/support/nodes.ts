// Registered nodes without agents: what they send is what agents send.
import { randomUUID } from 'node:crypto';
import type { Pool } from 'undici';
import { pause } from './bench.js';

/** One heartbeat, from the request to the whole answer. Throws for any answer but 200. */
export type Beat = () => Promise<void>;

/** Registers nodes of a cluster, and returns a heartbeat with a status that never changes for each. */
export async function registerNodes(pool: Pool, cluster: string, count: number): Promise<Beat[]> {
  const beats: Beat[] = [];
  for (let i = 0; i < count; i++) beats.push(await registerNode(pool, cluster, i));
  return beats;
}

async function registerNode(pool: Pool, cluster: string, index: number): Promise<Beat> {
  const [uid, session] = [randomUUID(), randomUUID()];
  const answer = await call(pool, 'POST', `/nodes/${cluster}`, 201, {
    uid,
    session,
    candidates: [session],
    hostname: `node-${index}`,
    ips: ['127.0.0.1'],
    'bind-address': `127.0.0.1:${20_000 + index}`,
  });
  const { id } = JSON.parse(answer) as { id: number };
  const influxd = { 'cluster-id': String(index + 1), term: 1, index: 7, started: 'then' };
  const beat = { uid, session, version: 1, state: 'in-step', pending: 0, hints: [], influxd };
  return async () => {
    await call(pool, 'PUT', `/nodes/${cluster}/${id}`, 200, beat);
  };
}

/**
 * Sends heartbeats of all nodes in turn until the signal is aborted, each on its time whether or not the one before is
 * answered. Resolves to their latencies in ms.
 */
export async function beatAtRate(
  beats: readonly Beat[],
  perSecond: number,
  signal: AbortSignal,
): Promise<number[]> {
  const latencies: number[] = [];
  const running: Promise<void>[] = [];
  const started = performance.now();
  for (let i = 0; !signal.aborted; i++) {
    await pause(Math.max(0, started + (i * 1000) / perSecond - performance.now()));
    const sent = performance.now();
    const beat = beats[i % beats.length] as Beat;
    running.push(beat().then(() => void latencies.push(performance.now() - sent)));
  }
  await Promise.all(running);
  return latencies;
}

async function call(
  pool: Pool,
  method: 'POST' | 'PUT',
  path: string,
  expected: number,
  message: object,
): Promise<string> {
  const { statusCode, body } = await pool.request({
    method,
    path,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(message),
  });
  const text = await body.text();
  if (statusCode !== expected) throw new Error(`${method} ${path}: ${statusCode} ${text}`);
  return text;
}
