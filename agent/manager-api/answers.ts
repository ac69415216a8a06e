// Reading a manager's answers: what they are, and whether the one who answered is a manager at all.
import type { VersionTag } from '../../shared/api/version-tag.js';
import {
  DIGEST_HEADER,
  FORKED,
  INCARNATION_HEADER,
  LINEAGE_HEADER,
  VERSION_HEADER,
} from '../../shared/api/headers.js';
import type { ErrorCode } from '../../shared/errors/app-error.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { ManagerAnswer } from './manager-client.js';
import type { RemoteSnapshot } from './port.js';

export interface ProblemAnswer {
  readonly code: string;
  readonly detail: string;
}

/** The problem+json in a body; undefined where it is something else. */
export function problemOf(body: Buffer): ProblemAnswer | undefined {
  const value = parseJson(body) as Partial<Record<string, unknown>> | null | undefined;
  const { code, detail } = typeof value === 'object' && value !== null ? value : {};
  return typeof code === 'string' && typeof detail === 'string' ? { code, detail } : undefined;
}

/** The problem of an answer that must have one. Throws `unauthorized`, `forbidden`, `manager-invalid`. */
export function expectProblem(answer: ManagerAnswer): ProblemAnswer {
  const problem = problemOf(answer.body);
  if (!problem) throw notAManager(answer);
  const { status } = answer;
  if (status === 401 || status === 403) {
    throw new AppError(
      status === 401 ? 'unauthorized' : 'forbidden',
      `the manager at ${answer.endpoint} refused this agent: ${problem.detail}${status === 401 ? '; check agent.token-file' : ''}`,
      { status },
    );
  }
  return problem;
}

/** For an answer that no caller has a use for: the manager's own code and sentence, behind what was being done. */
export function refusal(doing: string, answer: ManagerAnswer): AppError {
  const { code, detail } = expectProblem(answer);
  // The manager is of this very program: its codes are ours.
  return new AppError(code as ErrorCode, `${doing} failed: ${detail}`, { status: answer.status });
}

/** The JSON body of an answer, checked by one of the schemas of shared/api. Throws `manager-invalid`. */
export function expectJson<T>(
  answer: ManagerAnswer,
  schema: { safeParse(value: unknown): { success: true; data: T } | { success: false } },
): T {
  const parsed = schema.safeParse(parseJson(answer.body));
  if (!parsed.success) throw notAManager(answer);
  return parsed.data;
}

/** The snapshot of an answer, whose version may be 0. Throws `manager-invalid` where the headers are not there. */
export function expectSnapshot(answer: ManagerAnswer): RemoteSnapshot {
  const tag = tagOf(answer);
  if (!tag) throw notAManager(answer);
  return { tag, bytes: answer.body, forked: answer.headers[LINEAGE_HEADER] === FORKED };
}

/** The version named by an answer's headers; undefined where there is none. */
export function tagOf({ headers }: ManagerAnswer): VersionTag | undefined {
  const version = headers[VERSION_HEADER];
  const incarnation = headers[INCARNATION_HEADER] ?? '';
  const digest = headers[DIGEST_HEADER] ?? '';
  if (version === undefined || !/^\d{1,15}$/.test(version)) return undefined;
  if (version === '0') return { incarnation, version: 0, digest: '' };
  return incarnation === '' || digest === ''
    ? undefined
    : { incarnation, version: Number(version), digest };
}

export function notAManager({ endpoint, status }: ManagerAnswer): AppError {
  return new AppError(
    'manager-invalid',
    `what answers at ${endpoint} is not a ClusterFlux manager (status ${status} without a manager's headers or body); set agent.endpoints to the managers`,
    { retryable: true, details: { endpoint, status } },
  );
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // Not JSON: the callers say whose answer it was.
    return undefined;
  }
}
