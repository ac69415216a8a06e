// The managers' calls for the data plane: placement, numbered deletes, the list of nodes and who is behind. Port and HTTP
// client; what to make of the answers is agent/gateway/placement's.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { IDEMPOTENCY_HEADER, INCARNATION_HEADER } from '../../shared/api/headers.js';
import { encodeName } from '../../shared/api/names.js';
import type { NodeBody } from '../../shared/api/nodes.js';
import { nodeListSchema } from '../../shared/api/nodes.js';
import { placementFromWire, placementSchema } from '../../shared/api/placement.js';
import { formatTime } from '../../shared/influx/time.js';
import type { Placement } from '../../shared/placement/model.js';
import type { GroupWanted } from '../gateway/placement/port.js';
import { expectJson, expectProblem, refusal } from './answers.js';
import { judge } from './http-manager-api.js';
import type { ManagerAnswer, ManagerClient } from './manager-client.js';

/** A statement that deletes points on every node, in the order of its number. */
export interface NumberedDelete {
  readonly number: number;
  readonly database: string;
  readonly databaseMark: number;
  readonly statement: string;
}

/** The groups that a server brings along when it joins, by their times. */
export interface BroughtGroup {
  readonly database: string;
  readonly policy: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
}

/** Throws AppError `manager-unreachable`, `manager-invalid`, `aborted`, or what a manager refused with. */
export interface PlacementApi {
  /** The newest placement where it is another than `seen`; undefined after the wait. A cluster without one has version 0. */
  read(
    seen: Placement | undefined,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<Placement | undefined>;
  /** Throws `no-group` (409) with the manager's reason where one can't be made. */
  makeGroups(wanted: readonly GroupWanted[], signal: AbortSignal): Promise<Placement>;
  setCompleteness(
    node: number,
    groups: readonly number[] | 'all',
    verdict: { readonly isComplete: boolean; readonly why: string },
    signal: AbortSignal,
  ): Promise<Placement>;
  /** The older of two values may come to stand there, for points that were written anew. */
  setOrderUnsure(node: number, groups: readonly number[], signal: AbortSignal): Promise<Placement>;
  /** This node has seen all cuts up to that version. */
  confirm(node: number, version: number, signal: AbortSignal): Promise<Placement>;
  adopt(node: number, groups: readonly BroughtGroup[], signal: AbortSignal): Promise<Placement>;
  /** Gives the statement the cluster's next number. */
  addDelete(database: string, statement: string, signal: AbortSignal): Promise<number>;
  /** All with a higher number than `after`, ascending. */
  deletesAfter(after: number, signal: AbortSignal): Promise<readonly NumberedDelete[]>;
  nodes(signal: AbortSignal): Promise<readonly NodeBody[]>;
  /** Says, or takes back, that `holder` holds hints for `owner` and could not tell it. */
  flagBehind(owner: number, holder: number, isBehind: boolean, signal: AbortSignal): Promise<void>;
}

const deletesSchema = z.array(
  z.object({
    number: z.number().int(),
    database: z.string(),
    'database-mark': z.number().int(),
    statement: z.string(),
  }),
);
const numberSchema = z.object({ number: z.number().int() });

/** A client of the gateway waits for most of these. */
const DEADLINE_MS = 5_000;

export function createHttpPlacementApi(client: ManagerClient, cluster: string): PlacementApi {
  return new HttpPlacementApi(client, cluster);
}

class HttpPlacementApi implements PlacementApi {
  private readonly base: string;

  constructor(
    private readonly client: ManagerClient,
    private readonly cluster: string,
  ) {
    this.base = `/clusters/${encodeName(cluster)}`;
  }

  async read(
    seen: Placement | undefined,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<Placement | undefined> {
    const known = seen !== undefined && seen.version > 0 ? seen : undefined;
    const answer = await this.client.call({
      method: 'GET',
      path: `${this.base}/placement/${known?.version ?? 0}?wait=${waitMs}ms`,
      headers: known === undefined ? {} : { [INCARNATION_HEADER]: known.incarnation },
      deadlineMs: waitMs + DEADLINE_MS,
      isLongPoll: waitMs > 0,
      signal,
    });
    if (answer.status === 204) return undefined;
    return this.placement('reading the placement', answer);
  }

  async makeGroups(wanted: readonly GroupWanted[], signal: AbortSignal): Promise<Placement> {
    const body = wanted.map(({ database, policy, timeNs }) => ({
      database,
      policy,
      time: formatTime(timeNs),
    }));
    return this.post('placement/groups', body, 'making shard groups', signal);
  }

  setCompleteness(
    ...[node, groups, { isComplete, why }, signal]: Parameters<PlacementApi['setCompleteness']>
  ): Promise<Placement> {
    const body = { node, groups, complete: isComplete, why };
    return this.post('placement/completeness', body, 'recording what a node lacks', signal);
  }

  setOrderUnsure(
    ...[node, groups, signal]: Parameters<PlacementApi['setOrderUnsure']>
  ): Promise<Placement> {
    const body = { node, groups, complete: false, 'order-unsure': true };
    return this.post('placement/completeness', body, 'recording an unsure order', signal);
  }

  confirm(node: number, version: number, signal: AbortSignal): Promise<Placement> {
    return this.post('placement/confirm', { node, version }, 'confirming cuts', signal);
  }

  adopt(node: number, groups: readonly BroughtGroup[], signal: AbortSignal): Promise<Placement> {
    const brought = groups.map(({ database, policy, startNs, endNs }) => ({
      database,
      policy,
      start: formatTime(startNs),
      end: formatTime(endNs),
    }));
    return this.post('placement/adopt', { node, groups: brought }, 'bringing shard groups', signal);
  }

  async addDelete(database: string, statement: string, signal: AbortSignal): Promise<number> {
    const answer = await this.client.call({
      method: 'POST',
      path: `${this.base}/deletes`,
      headers: { [IDEMPOTENCY_HEADER]: randomUUID() },
      body: { database, statement },
      deadlineMs: DEADLINE_MS,
      signal,
    });
    return judge(this.client, answer, () => {
      if (answer.status === 201) return expectJson(answer, numberSchema).number;
      throw refusal('numbering a delete', answer);
    });
  }

  async deletesAfter(after: number, signal: AbortSignal): Promise<readonly NumberedDelete[]> {
    const answer = await this.get(`${this.base}/deletes?since=${after}`, signal);
    return judge(this.client, answer, () => {
      if (answer.status !== 200) throw refusal('reading the numbered deletes', answer);
      return expectJson(answer, deletesSchema)
        .map(({ 'database-mark': databaseMark, ...rest }) => ({ ...rest, databaseMark }))
        .sort((a, b) => a.number - b.number);
    });
  }

  async nodes(signal: AbortSignal): Promise<readonly NodeBody[]> {
    const answer = await this.get(`/nodes/${encodeName(this.cluster)}`, signal);
    return judge(this.client, answer, () => {
      if (answer.status === 200) return expectJson(answer, nodeListSchema);
      if (answer.status === 404 && expectProblem(answer).code === 'cluster-not-found') return [];
      throw refusal(`listing the nodes of cluster ${this.cluster}`, answer);
    });
  }

  async flagBehind(
    owner: number,
    holder: number,
    isBehind: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const answer = await this.client.call({
      method: isBehind ? 'PUT' : 'DELETE',
      path: `/nodes/${encodeName(this.cluster)}/${owner}/behind/${holder}`,
      deadlineMs: DEADLINE_MS,
      signal,
    });
    judge(this.client, answer, () => {
      if (answer.status !== 204) throw refusal('saying that a node is behind', answer);
    });
  }

  private get(path: string, signal: AbortSignal): Promise<ManagerAnswer> {
    return this.client.call({ method: 'GET', path, deadlineMs: DEADLINE_MS, signal });
  }

  private async post(
    path: string,
    body: object,
    doing: string,
    signal: AbortSignal,
  ): Promise<Placement> {
    const answer = await this.client.call({
      method: 'POST',
      path: `${this.base}/${path}`,
      // Repeating any of them is harmless: what is there already is not made again.
      headers: { [IDEMPOTENCY_HEADER]: randomUUID() },
      body,
      deadlineMs: DEADLINE_MS,
      signal,
    });
    return this.placement(doing, answer);
  }

  private placement(doing: string, answer: ManagerAnswer): Placement {
    return judge(this.client, answer, () => {
      if (answer.status !== 200) throw refusal(doing, answer);
      return placementFromWire(expectJson(answer, placementSchema));
    });
  }
}
