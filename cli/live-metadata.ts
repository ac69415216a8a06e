// The metadata that a node's influxd has in memory right now, as its agent reads it: through the agent's socket where that
// agent runs here, else over its address. It never asks influxd itself.
import { request } from 'node:http';
import { join } from 'node:path';
import { PeerClient } from '../agent/peer/peer-client.js';
import { METADATA_PATH, STATUS_PATH } from '../agent/peer/peer-routes.js';
import { openPeerSecurity } from '../agent/peer/peer-security.js';
import { encodeName } from '../shared/api/names.js';
import { nodeSchema } from '../shared/api/nodes.js';
import { problemSchema } from '../shared/api/problem.js';
import { parseAddress } from '../shared/config/address.js';
import { AppError, isAppError } from '../shared/errors/app-error.js';
import { systemClock } from '../shared/lifecycle/clock.js';
import { silentLogger } from '../shared/log/logger.js';
import { OPERATOR } from '../shared/peer-auth/wire.js';
import type { Target } from './commands/target.js';

/** Far above any real metadata. */
const MAX_METADATA_BYTES = 512 * 1024 * 1024;

/**
 * Bytes of a meta.Data message. Throws AppError `node-not-found`, `manager-…`, `unauthorized` where our secret is not its agent's,
 * or `influxd-unreachable` where no agent gives it.
 */
export async function readLiveMetadata(
  target: Target,
  node: number,
  timeoutMs: number,
): Promise<Buffer> {
  const socketPath = join(target.config.agent.stateDir, 'agent.sock');
  if (await isAgentOf(socketPath, target.cluster, node, timeoutMs)) {
    return (await get({ socketPath, path: '/metadata' }, timeoutMs)).body;
  }
  return askPeer(target, node, timeoutMs, METADATA_PATH);
}

/** What the node's agent says of itself, as JSON. Throws as `readLiveMetadata`. */
export async function readLiveStatus(
  target: Target,
  node: number,
  timeoutMs: number,
): Promise<unknown> {
  return parseJson(await askPeer(target, node, timeoutMs, STATUS_PATH));
}

/** The node's own agent, over its address: it gives this to those alone who have the cluster's secret or a certificate. */
async function askPeer(
  target: Target,
  node: number,
  timeoutMs: number,
  asked: string,
): Promise<Buffer> {
  const path = `/nodes/${encodeName(target.cluster)}/${node}`;
  const { uid, 'bind-address': registered } = await target.api.json(path, nodeSchema);
  const address = parseAddress(registered);
  if (uid === undefined || address === undefined) {
    throw notAvailable(node, 'it was registered by hand, and has no agent');
  }
  const { agent } = target.config;
  const clock = systemClock();
  const security = await openPeerSecurity(agent, { clock, logger: silentLogger() });
  if (security.keys === undefined && !security.isMutual) {
    throw notAvailable(
      node,
      "its agent gives it to those alone who have the cluster's secret, and agent.secret-file is not set here",
      'name the file with the secret in the configuration',
    );
  }
  const client = new PeerClient({ uid: OPERATOR, security, clock, deadlineMs: timeoutMs });
  try {
    const call = {
      method: 'GET',
      path: asked,
      maxAnswerBytes: MAX_METADATA_BYTES,
    } as const;
    const { status, body } = await client.call(address, uid, call);
    if (status === 200) return body;
    throw notAvailable(node, `its agent at ${registered} answered: ${detailOf(body, status)}`);
  } catch (error) {
    if (!isAppError(error, 'peer-unreachable', 'peer-mismatch', 'rate-limited')) throw error;
    throw notAvailable(node, error.message, undefined, error);
  } finally {
    client.close();
  }
}

function detailOf(body: Buffer, status: number): string {
  const problem = problemSchema.safeParse(parseJson(body));
  return problem.success ? problem.data.detail : `status ${status}`;
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // Not JSON: no schema takes undefined, so the status is what there is to say.
    return undefined;
  }
}

function notAvailable(
  node: number,
  reason: string,
  remedy = 'run this on that node, with its configuration',
  cause?: unknown,
): AppError {
  const message = `reading the live metadata of node ${node} failed because ${reason}; ${remedy}`;
  return new AppError('influxd-unreachable', message, { cause });
}

async function isAgentOf(
  socketPath: string,
  cluster: string,
  node: number,
  timeoutMs: number,
): Promise<boolean> {
  try {
    const { status, body } = await get({ socketPath, path: '/status' }, timeoutMs);
    const agent = JSON.parse(body.toString('utf8')) as { node?: unknown; cluster?: unknown };
    return status === 200 && agent.node === node && agent.cluster === cluster;
  } catch {
    // No agent of this machine, or not ours to ask: the node's address is the other way.
    return false;
  }
}

interface Reply {
  readonly status: number;
  readonly body: Buffer;
}

function get(
  where: { readonly socketPath: string; readonly path: string },
  timeoutMs: number,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { ...where, agent: false, signal: AbortSignal.timeout(timeoutMs) } as const;
    const outgoing = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
      });
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}
