// What an error of the etcd client means for a call: surely not done, or nobody knows. Where in doubt, nobody knows.
import {
  ClientClosedError,
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCFailedPreconditionError,
  GRPCInvalidArgumentError,
  GRPCNotFoundError,
  GRPCNotImplementedError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  GRPCUnauthenticatedError,
} from 'etcd3';
import { AppError, isAppError, messageOf } from '../../../shared/errors/app-error.js';

/**
 * `not-sent`: no connection, so another endpoint may be tried. `rejected`: etcd said no, and did nothing.
 * `unknown`: the call may have been carried out.
 */
export type Failure = 'not-sent' | 'rejected' | 'unknown';

/** The client library gives no code for it, only this text (grpc-js); another text is judged `unknown`, which is always safe. */
const NOT_SENT =
  /No connection established|Name resolution failed|Channel closed before call started/;

/** Errors with which etcd answers a request that it did not carry out. */
const REJECTIONS = [
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCFailedPreconditionError,
  GRPCInvalidArgumentError,
  GRPCNotFoundError,
  GRPCNotImplementedError,
  GRPCOutOfRangeError,
  GRPCUnauthenticatedError,
];

export function judge(error: unknown): Failure {
  if (error instanceof ClientClosedError || NOT_SENT.test(messageOf(error))) return 'not-sent';
  if (REJECTIONS.some((type) => error instanceof type)) return 'rejected';
  // Out of quota or too many requests. Without etcd's name it is our own side that ran out of something.
  const isQuota = error instanceof GRPCResourceExhastedError;
  return isQuota && messageOf(error).includes('etcdserver:') ? 'rejected' : 'unknown';
}

/**
 * Whether etcd asks who calls, where an error tells it. Both are rejections: nothing was done. The client library has no types
 * for them; another text tells nothing, and the error is what it is.
 */
export function asksWho(error: unknown): boolean | undefined {
  const message = messageOf(error);
  if (message.includes('etcdserver: authentication is not enabled')) return false;
  if (message.includes('etcdserver: user name is empty')) return true;
  return undefined;
}

/** What was being done, for messages: "reading from", "writing to". */
export interface CallSubject {
  readonly doing: string;
  readonly location: string;
}

/** The error of a call that changed nothing, or that was a read. */
export function unavailable(subject: CallSubject, cause: unknown): AppError {
  if (isAppError(cause)) return cause;
  return new AppError(
    'store-unavailable',
    `${subject.doing} etcd at ${subject.location} failed: ${reasonOf(cause)}; ${remedyFor(cause)}`,
    { status: 503, retryable: judge(cause) !== 'rejected' || isOutdatedRead(cause), cause },
  );
}

/** The error of a transaction that may have been committed. */
export function outcomeUnknown(subject: CallSubject, cause: unknown): AppError {
  return new AppError(
    'outcome-unknown',
    `${subject.doing} etcd at ${subject.location} has an unknown outcome: ${reasonOf(cause)}; read back what stands there now`,
    { status: 503, retryable: true, cause },
  );
}

/** A revision that is compacted, or (after a restore) not there yet: the same read without it would succeed. */
function isOutdatedRead(cause: unknown): boolean {
  return cause instanceof GRPCOutOfRangeError;
}

/** Takes away what gRPC wraps around the reason: its code, and notes on names, balancing and times. */
function reasonOf(cause: unknown): string {
  return messageOf(cause)
    .replace(/^\d+ [A-Z_]+: /, '')
    .replace(/^No connection established\. Last error: (Error: )?/, 'no connection: ')
    .replace(/\.? Resolution note:.*$/s, '')
    .replace(/(Deadline exceeded after [\d.]+s).*$/s, '$1')
    .replace(/\s*\(\d{4}-\d\d-\d\dT[^)]*\)/, '')
    .trim();
}

function remedyFor(cause: unknown): string {
  const message = messageOf(cause);
  if (isOutdatedRead(cause)) return 'start the read anew';
  if (message.includes('space exceeded')) {
    return 'compact and defragment etcd, or raise its quota, and then disarm its NOSPACE alarm';
  }
  if (cause instanceof EtcdPermissionDeniedError) return "check the permissions of etcd's user";
  if (cause instanceof EtcdAuthenticationFailedError)
    return 'check the user name and password for etcd';
  return judge(cause) === 'rejected'
    ? 'see the log of etcd'
    : 'check that etcd runs and can be reached';
}
