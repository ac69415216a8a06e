// What a call to a peer ends in when it gets no answer that can be believed, in words that say what to do.
import type { IncomingHttpHeaders } from 'node:http';
import type { Address } from '../../shared/config/address.js';
import { AppError, messageOf } from '../../shared/errors/app-error.js';

/** Whom a call is for, and what says so in its errors. */
export interface Peer {
  readonly address: Address;
  readonly uid: string;
  readonly what: string;
}

/** An answer as it came; nobody has looked whose it is. */
export interface Raw {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** No answer at all; `deadlineMs` where the time was over. */
export function unreachable(
  what: string,
  deadlineMs: number | undefined,
  cause: unknown,
): AppError {
  const why =
    deadlineMs === undefined
      ? messageOf(cause) || 'the connection failed'
      : `no whole answer within ${deadlineMs} ms`;
  const message = `${what} failed: ${why}; look whether that agent runs and its address can be reached`;
  return new AppError('peer-unreachable', message, { status: 503, retryable: true, cause });
}

/** Another node than the one that was meant answered, and proved the secret. */
export function mismatch({ what }: Peer): AppError {
  const message = `${what} failed because another node answers at that address; it registers its new one within seconds`;
  return new AppError('peer-mismatch', message, { status: 502, retryable: true });
}

/** It did not take our signature, or gave none of its own. */
export function refused({ what }: Peer, { status, body }: Raw): AppError {
  if (status === 429) {
    const message = `${what} was refused because of too many attempts; wait a minute`;
    return new AppError('rate-limited', message, { status: 502, retryable: true });
  }
  const said =
    status === 401 ? ` (${detailOf(body)})` : ` (it answered ${status} without a signature)`;
  const message = `${what} failed because the two do not share a secret${said}; give both the same agent.secret-file, or certificates of one authority`;
  return new AppError('unauthorized', message, { status: 502 });
}

/** Of a stranger, so only what is plain and short. */
function detailOf(body: Buffer): string {
  try {
    const { detail } = JSON.parse(body.toString('utf8')) as { detail?: unknown };
    if (typeof detail === 'string') return detail.replace(/[^ -~]/g, '?').slice(0, 200);
  } catch {
    // No problem+json: it has nothing to say.
  }
  return 'it gave no reason';
}
