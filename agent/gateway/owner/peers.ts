// Other nodes as owners: a batch or a read goes to the owner's agent and no further. Whatever keeps an answer from coming is a
// passing failure in words.
import { isAppError, messageOf } from '../../../shared/errors/app-error.js';
import type { PeerAnswer, PeerCall, PeerClient } from '../../peer/peer-client.js';
import type { Lane } from '../../peer/peer-transport.js';
import type { ClusterNode, NodeDirectory } from '../placement/port.js';
import type { ApplyOutcome, Batch, BatchSender, Reader, ReadOutcome, ReadQuery } from './port.js';
import {
  applyOutcomeFromWire,
  batchToPath,
  MAX_BATCH_BYTES,
  notOpenedFromWire,
  openedFromWire,
  QUERY_PATH,
  readToWire,
} from './wire.js';

export interface PeerOwnersDeps {
  readonly directory: Pick<NodeDirectory, 'node'>;
  readonly client: Pick<PeerClient, 'call' | 'open'>;
}

/** influxd gives a write up after 10 s; the owner may have had to catch up before. */
const SEND_WITHIN_MS = 30_000;
/** Until the head of an answer, which influxd sends before it executes. Deletes may have to be run before. */
const OPEN_WITHIN_MS = 30_000;
/** Outcomes are a line. */
const MAX_OUTCOME_BYTES = 8 * 1024 * 1024;

export class PeerOwners implements BatchSender, Reader {
  constructor(private readonly deps: PeerOwnersDeps) {}

  async send(node: number, batch: Batch, signal: AbortSignal): Promise<ApplyOutcome> {
    const peer = this.deps.directory.node(node);
    if (peer === undefined) return unknown(node);
    try {
      const call = callOf('writes', batchToPath(batch), batch.body, SEND_WITHIN_MS);
      const answer = await this.deps.client.call(peer.address, peer.uid, call, signal);
      if (answer.status === 200) return applyOutcomeFromWire(answer.body);
      if (answer.status === 413 && batch.body.length > MAX_BATCH_BYTES) {
        return { kind: 'too-large' };
      }
      return failed(refusalOf(peer, answer));
    } catch (error) {
      if (signal.aborted) throw error;
      return { ...failed(whyOf(error)), ...(mayBeHeld(error) ? { isHeld: true } : {}) };
    }
  }

  async read(node: number, query: ReadQuery, signal: AbortSignal): Promise<ReadOutcome> {
    const peer = this.deps.directory.node(node);
    if (peer === undefined) return unknown(node);
    try {
      const call = callOf('reads', QUERY_PATH, readToWire(query), OPEN_WITHIN_MS);
      const answer = await this.deps.client.open(peer.address, peer.uid, call, signal);
      if ('head' in answer) {
        const opened = openedFromWire(answer.head);
        if (opened !== undefined) return { ...opened, body: answer.body };
        answer.body.destroy();
        return failed('it gave an answer that is not understood');
      }
      if (answer.status === 200) return notOpenedFromWire(answer.body);
      return failed(refusalOf(peer, answer));
    } catch (error) {
      if (signal.aborted) throw error;
      return failed(whyOf(error));
    }
  }
}

function callOf(lane: Lane, path: string, body: Buffer, deadlineMs: number): PeerCall {
  return { method: 'POST', path, body, lane, deadlineMs, maxAnswerBytes: MAX_OUTCOME_BYTES };
}

function refusalOf({ id }: ClusterNode, { status, body }: PeerAnswer): string {
  // An unknown route takes no body at all, so that it comes to 413 as well.
  if (status === 404 || status === 413) {
    return `the agent of node ${id} is of a release that takes no points and queries from other nodes; update it`;
  }
  return `the agent of node ${id} answered ${status}: ${detailOf(body)}`;
}

function detailOf(body: Buffer): string {
  try {
    const { detail } = JSON.parse(body.toString('utf8')) as { detail?: unknown };
    if (typeof detail === 'string') return detail;
  } catch {
    // No problem+json: the status has to do.
  }
  return 'it gave no reason';
}

function unknown(node: number): { readonly kind: 'failed'; readonly why: string } {
  return failed(`node ${node} is not registered, as far as this node has heard`);
}

function whyOf(error: unknown): string {
  return isAppError(error, 'aborted') ? 'the agent stops' : messageOf(error);
}

/** What was never connected was never sent. */
function mayBeHeld(error: unknown): boolean {
  if (!isAppError(error, 'peer-unreachable')) return false;
  const { syscall } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return syscall !== 'connect' && syscall !== 'getaddrinfo';
}

function failed(why: string): { readonly kind: 'failed'; readonly why: string } {
  return { kind: 'failed', why };
}
