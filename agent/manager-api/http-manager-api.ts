// The metadata calls of the manager over HTTP. It only translates: what to read, write or believe is the reconciler's.
import {
  IDEMPOTENCY_HEADER,
  KNOWN_HEADER,
  NODE_HEADER,
  SNAPSHOT_TYPE,
} from '../../shared/api/headers.js';
import { clusterSchema } from '../../shared/api/clusters.js';
import { writeAnswerSchema, writeOutcomeSchema } from '../../shared/api/history.js';
import { marksFromWire, marksSchema } from '../../shared/api/marks.js';
import { encodeName } from '../../shared/api/names.js';
import type { VersionTag } from '../../shared/api/version-tag.js';
import { formatTag } from '../../shared/api/version-tag.js';
import { isAppError } from '../../shared/errors/app-error.js';
import type { Marks } from '../../shared/meta/marks.js';
import { NO_MARKS } from '../../shared/meta/marks.js';
import {
  expectJson,
  expectProblem,
  expectSnapshot,
  notAManager,
  refusal,
  tagOf,
} from './answers.js';
import type { ManagerAnswer, ManagerClient } from './manager-client.js';
import type { EndpointAnswer, ManagerApi, ReadResult, WriteRequest, WriteResult } from './port.js';

/** What a read or a lookup may take besides its waiting: a large snapshot over a slow line, a store that elects a leader. */
const READ_DEADLINE_MS = 10_000;
/** All endpoints are asked at once, and a dead one shall not hold up the others for long. */
const SURVEY_DEADLINE_MS = 3_000;
/** A write may carry the largest snapshot, and the manager asks its store until the outcome is definite. */
const WRITE_DEADLINE_MS = 30_000;

export function createHttpManagerApi(client: ManagerClient): ManagerApi {
  return new HttpManagerApi(client);
}

class HttpManagerApi implements ManagerApi {
  constructor(private readonly client: ManagerClient) {}

  /** A read that does not wait asks the managers in turn, so that a healed one, or one of another store, is noticed. */
  async read(
    cluster: string,
    { seen, waitMs, signal }: Parameters<ManagerApi['read']>[1],
  ): Promise<ReadResult> {
    const answer = await this.client.call({
      method: 'GET',
      path: `${clusterPath(cluster)}/versions/${seen?.version ?? 0}?wait=${waitMs}ms`,
      headers: { accept: SNAPSHOT_TYPE, ...tagHeader(KNOWN_HEADER, seen) },
      deadlineMs: waitMs + READ_DEADLINE_MS,
      isLongPoll: waitMs > 0,
      inTurn: waitMs === 0,
      signal,
    });
    return this.judged(answer, () => {
      if (answer.status === 200) return { kind: 'snapshot', snapshot: expectSnapshot(answer) };
      if (answer.status === 204) return { kind: 'unchanged' };
      const problem = expectProblem(answer);
      if (problem.code === 'cluster-not-found') return { kind: 'cluster-not-found' };
      throw refusal(`reading cluster ${cluster}`, answer);
    });
  }

  async marks(cluster: string, version: number, signal?: AbortSignal): Promise<Marks> {
    if (version === 0) return NO_MARKS;
    const answer = await this.client.call({
      method: 'GET',
      path: `${clusterPath(cluster)}/marks/${version}`,
      deadlineMs: READ_DEADLINE_MS,
      signal,
    });
    return this.judged(answer, () => {
      if (answer.status === 200) return marksFromWire(expectJson(answer, marksSchema));
      throw refusal(`reading the marks of version ${version} of cluster ${cluster}`, answer);
    });
  }

  async write(cluster: string, request: WriteRequest, signal?: AbortSignal): Promise<WriteResult> {
    const { seen, bytes, idempotencyKey, nodeId } = request;
    const answer = await this.client.call({
      method: 'PUT',
      path: `${clusterPath(cluster)}/versions/${seen?.version ?? 0}`,
      headers: {
        'content-type': SNAPSHOT_TYPE,
        // For the answer that says that the write was lost, and what stands.
        accept: SNAPSHOT_TYPE,
        [IDEMPOTENCY_HEADER]: idempotencyKey,
        ...tagHeader('if-match', seen),
        ...(nodeId === undefined ? {} : { [NODE_HEADER]: String(nodeId) }),
      },
      body: bytes,
      deadlineMs: WRITE_DEADLINE_MS,
      signal,
    });
    return this.judged(answer, () => {
      if (answer.status === 200) {
        return { kind: 'accepted', tag: expectTag(answer, expectJson(answer, writeAnswerSchema)) };
      }
      if (answer.status === 409 && tagOf(answer)) {
        return { kind: 'lost', newest: expectSnapshot(answer) };
      }
      return { kind: 'refused', ...expectProblem(answer) };
    });
  }

  async writeOutcome(
    ...[cluster, idempotencyKey, signal]: Parameters<ManagerApi['writeOutcome']>
  ): ReturnType<ManagerApi['writeOutcome']> {
    const answer = await this.client.call({
      method: 'GET',
      path: `${clusterPath(cluster)}/writes/${encodeName(idempotencyKey)}`,
      deadlineMs: READ_DEADLINE_MS,
      signal,
    });
    return this.judged(answer, () => {
      if (answer.status === 200) {
        return { kind: 'accepted', tag: expectTag(answer, expectJson(answer, writeOutcomeSchema)) };
      }
      const problem = expectProblem(answer);
      // A cluster that is gone has accepted nothing that still counts. An unknown route is not a manager of ours.
      if (answer.status === 404 && problem.code !== 'route-not-found') {
        return { kind: 'unknown-key' };
      }
      throw refusal(`asking what became of a write to cluster ${cluster}`, answer);
    });
  }

  /** Endpoints that do not answer are left out; throws `manager-unreachable` where none does. */
  async survey(cluster: string, signal?: AbortSignal): Promise<readonly EndpointAnswer[]> {
    const { urls } = this.client.endpoints;
    const asked = await Promise.allSettled(urls.map((url) => this.ask(url, cluster, signal)));
    const answers = asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const failure = asked.find((each) => each.status === 'rejected');
    if (answers.length === 0 && failure) throw failure.reason;
    return answers;
  }

  private async ask(
    endpoint: string,
    cluster: string,
    signal: AbortSignal | undefined,
  ): Promise<EndpointAnswer> {
    const answer = await this.client.call({
      method: 'GET',
      path: clusterPath(cluster),
      deadlineMs: SURVEY_DEADLINE_MS,
      endpoint,
      signal,
    });
    return this.judged(answer, () => {
      if (answer.status === 200) {
        const { incarnation } = expectJson(answer, clusterSchema);
        return { endpoint, incarnation: incarnation === '' ? undefined : incarnation };
      }
      if (expectProblem(answer).code === 'cluster-not-found') {
        return { endpoint, incarnation: undefined };
      }
      throw refusal(`asking ${endpoint} for cluster ${cluster}`, answer);
    });
  }

  /** Reads an answer; an endpoint that is no manager is left for the next one, if there is one. */
  private judged<T>(answer: ManagerAnswer, read: () => T): T {
    return judge(this.client, answer, read);
  }
}

/** Runs `read` on an answer; where that finds that no manager answered, the next call goes to another endpoint. */
export function judge<T>(client: ManagerClient, answer: ManagerAnswer, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isAppError(error, 'manager-invalid')) {
      client.endpoints.failed(answer.endpoint, { isSilent: false });
    }
    throw error;
  }
}

function clusterPath(cluster: string): string {
  return `/clusters/${encodeName(cluster)}`;
}

function tagHeader(name: string, tag: VersionTag | undefined): Record<string, string> {
  return tag === undefined || tag.version === 0 ? {} : { [name]: formatTag(tag) };
}

function expectTag(answer: ManagerAnswer, tag: VersionTag): VersionTag {
  if (tag.version === 0 || tag.incarnation === '') throw notAManager(answer);
  return { incarnation: tag.incarnation, version: tag.version, digest: tag.digest };
}
