// The one error type of the project: what was being done, why it failed, what to do. Nothing else is thrown on purpose.

/** Stable codes that other programs may rely on (they are the `code` of a problem+json answer too). */
export type ErrorCode =
  // input
  | 'name-invalid'
  | 'version-invalid'
  | 'body-invalid'
  | 'snapshot-invalid'
  | 'snapshot-too-large'
  | 'config-invalid'
  | 'usage'
  | 'statement-unparsable'
  // what does not exist
  | 'cluster-not-found'
  | 'node-not-found'
  | 'version-not-found'
  | 'database-not-found'
  | 'route-not-found'
  // what somebody else won, or holds
  | 'version-conflict'
  | 'lineage-mismatch'
  | 'state-not-current'
  | 'session-superseded'
  | 'influxd-in-use'
  | 'cluster-not-empty'
  | 'node-needed'
  | 'placement-invalid'
  | 'too-many-drops'
  | 'already-running'
  | 'agent-not-running'
  | 'lock-held'
  | 'held-changed'
  // the surroundings
  | 'store-unavailable'
  | 'outcome-unknown'
  | 'store-format-unknown'
  | 'store-closed'
  | 'store-in-use'
  | 'store-not-empty'
  | 'dump-invalid'
  | 'too-many-waiters'
  | 'no-group'
  | 'level-not-reached'
  | 'isolated'
  | 'manager-unreachable'
  | 'metadata-unknown'
  | 'manager-invalid'
  | 'peer-unreachable'
  | 'peer-mismatch'
  | 'influxd-unreachable'
  | 'influxd-refused'
  | 'influxd-running'
  | 'meta-unreadable'
  | 'state-unwritable'
  | 'address-in-use'
  | 'timeout'
  | 'aborted'
  // security
  | 'unauthorized'
  | 'forbidden'
  | 'rate-limited'
  | 'internal';

/** What an error carries besides its code and message. */
export interface AppErrorOptions {
  /** HTTP status when a manager or agent renders it; 500 where absent. */
  readonly status?: number;
  /** True where the same call may succeed later without anybody changing anything. */
  readonly retryable?: boolean;
  /** Seconds for `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** Data that belongs to the error: names, limits, the newest version. Never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An error that a person may read: its message is one sentence and names the thing and the way out. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryable: boolean;
  readonly retryAfterSeconds: number | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 500;
    this.retryable = options.retryable ?? false;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.details = options.details ?? {};
  }
}

/** True for an AppError of one of these codes (any code where none is named). */
export function isAppError(error: unknown, ...codes: ErrorCode[]): error is AppError {
  return error instanceof AppError && (codes.length === 0 || codes.includes(error.code));
}

/** The sentence of any thrown thing, for logs and for wrapping. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True where an abort signal, ours or the platform's, ended the work. */
export function isAbort(error: unknown): boolean {
  if (isAppError(error, 'aborted')) return true;
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'CanceledError');
}
