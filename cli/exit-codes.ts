// Exit codes: what scripts may rely on. The list is in docs and in `clusterflux --help`.
import { isAppError, type ErrorCode } from '../shared/errors/app-error.js';

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unhealthy: 3,
  managerUnreachable: 4,
  conflict: 5,
  notFound: 6,
  unauthorized: 7,
  timeout: 8,
  interrupted: 130,
} as const;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  usage: EXIT.usage,
  'config-invalid': EXIT.usage,
  'name-invalid': EXIT.usage,
  'version-invalid': EXIT.usage,
  'manager-unreachable': EXIT.managerUnreachable,
  'manager-invalid': EXIT.managerUnreachable,
  timeout: EXIT.timeout,
  aborted: EXIT.interrupted,
};

const BY_STATUS: Readonly<Record<number, number>> = {
  401: EXIT.unauthorized,
  403: EXIT.unauthorized,
  404: EXIT.notFound,
  409: EXIT.conflict,
};

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (!isAppError(error)) return EXIT.failed;
  return BY_CODE[error.code] ?? BY_STATUS[error.status] ?? EXIT.failed;
}
