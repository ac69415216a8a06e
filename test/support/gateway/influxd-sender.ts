// Owners that are plain influxd servers, one per node id: for tests of the gateway without agents beside them.
import type { ApplyOutcome, Batch, BatchSender } from '../../../agent/gateway/owner/port.js';

const DEADLINE_MS = 10_000;

/** @param urls of the servers, by node id. */
export function influxdSender(urls: ReadonlyMap<number, string>): BatchSender {
  return {
    send: async (node, batch, signal) => {
      const url = urls.get(node);
      if (url === undefined) return { kind: 'failed', why: `no server for node ${String(node)}` };
      try {
        return await post(url, batch, AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]));
      } catch (error) {
        return { kind: 'failed', why: String(error) };
      }
    },
  };
}

async function post(url: string, batch: Batch, signal: AbortSignal): Promise<ApplyOutcome> {
  const { database: db, policy: rp, precision, body } = batch;
  const query = new URLSearchParams({ db, rp, precision }).toString();
  const answer = await fetch(`${url}/write?${query}`, { method: 'POST', body, signal });
  const text = await answer.text();
  if (answer.status === 204) return { kind: 'applied' };
  const { error } = JSON.parse(text) as { error: string };
  if (answer.status === 413) return { kind: 'too-large' };
  if (answer.status !== 400) return { kind: 'failed', why: error };
  const dropped = Number(/dropped=(\d+)/.exec(error)?.[1] ?? 0);
  return { kind: 'refused', text: error, dropped };
}
