// The registry calls of the manager over HTTP: kebab-case and seconds on the wire, camelCase and milliseconds here.
import { IDEMPOTENCY_HEADER } from '../../shared/api/headers.js';
import { encodeName } from '../../shared/api/names.js';
import type { HeartbeatBody, RegisterBody } from '../../shared/api/nodes.js';
import { heartbeatAnswerSchema, registerAnswerSchema } from '../../shared/api/nodes.js';
import { expectJson, expectProblem } from './answers.js';
import { judge } from './http-manager-api.js';
import type { ManagerClient } from './manager-client.js';
import type {
  Heartbeat,
  InfluxdFacts,
  MembershipApi,
  Refusal,
  Registration,
} from './membership-port.js';

/** Heartbeats find dead managers, so this is short; a registry call is two small transactions at most. */
const REGISTRY_DEADLINE_MS = 3_000;

export function createHttpMembershipApi(client: ManagerClient): MembershipApi {
  return {
    async register(cluster, registration, signal) {
      const answer = await client.call({
        method: 'POST',
        path: `/nodes/${encodeName(cluster)}`,
        // Repeating it is harmless: the uid gets its id again, and the session is one of its own candidates.
        headers: { [IDEMPOTENCY_HEADER]: registration.session },
        body: registerBody(registration),
        deadlineMs: REGISTRY_DEADLINE_MS,
        signal,
      });
      return judge(client, answer, () => {
        if (answer.status !== 200 && answer.status !== 201) return refused(expectProblem(answer));
        const body = expectJson(answer, registerAnswerSchema);
        // It is the node's current one now: what other calls prove themselves with.
        client.session = registration.session;
        return {
          kind: 'registered',
          id: body.id,
          ttlMs: body.ttl * 1000,
          heartbeatIntervalMs: body['heartbeat-interval'] * 1000,
          version: body.version,
          incarnation: body.incarnation,
          orders: body.orders,
        };
      });
    },

    async refresh(cluster, nodeId, heartbeat, signal) {
      const answer = await client.call({
        method: 'PUT',
        path: `/nodes/${encodeName(cluster)}/${nodeId}`,
        body: heartbeatBody(heartbeat),
        deadlineMs: REGISTRY_DEADLINE_MS,
        signal,
      });
      return judge(client, answer, () => {
        if (answer.status === 200) {
          const body = expectJson(answer, heartbeatAnswerSchema);
          const { version, incarnation, orders } = body;
          return {
            kind: 'refreshed',
            ttlMs: body.ttl * 1000,
            version,
            incarnation,
            orders,
            placementVersion: body['placement-version'],
            registryRevision: body['registry-revision'],
          };
        }
        const problem = expectProblem(answer);
        return answer.status === 404 ? { kind: 'unknown-node' } : refused(problem);
      });
    },

    async deregister(cluster, nodeId, signal) {
      const answer = await client.call({
        method: 'DELETE',
        path: `/nodes/${encodeName(cluster)}/${nodeId}`,
        deadlineMs: REGISTRY_DEADLINE_MS,
        signal,
      });
      return judge(client, answer, () => {
        if (answer.status === 204) return { kind: 'done' };
        const problem = expectProblem(answer);
        return answer.status === 404 ? { kind: 'done' } : refused(problem);
      });
    },
  };
}

function registerBody(registration: Registration): RegisterBody {
  const { previousSession, influxd, bindAddress, versions } = registration;
  return {
    hostname: registration.hostname,
    ips: [...registration.ips],
    ...(bindAddress === undefined ? {} : { 'bind-address': bindAddress }),
    uid: registration.uid,
    session: registration.session,
    ...(previousSession === undefined ? {} : { 'previous-session': previousSession }),
    candidates: [...registration.candidates],
    ...(versions === undefined ? {} : { versions: { ...versions } }),
    ...(influxd === undefined ? {} : { influxd: influxdBody(influxd) }),
  };
}

function heartbeatBody(heartbeat: Heartbeat): HeartbeatBody {
  return {
    uid: heartbeat.uid,
    session: heartbeat.session,
    version: heartbeat.version,
    state: heartbeat.state,
    pending: heartbeat.pending,
    ...(heartbeat.held === undefined ? {} : { held: heartbeat.held }),
    ...(heartbeat.influxd === undefined ? {} : { influxd: influxdBody(heartbeat.influxd) }),
    ...(heartbeat.hints && { hints: heartbeat.hints.map((each) => ({ ...each })) }),
  };
}

function influxdBody({ clusterId, term, index, started }: InfluxdFacts) {
  return { 'cluster-id': clusterId, term, index, started };
}

function refused({ code, detail }: { code: string; detail: string }): Refusal {
  return { kind: 'refused', code, detail };
}
