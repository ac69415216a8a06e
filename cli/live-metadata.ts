// The metadata that a node's influxd has in memory right now, as its agent reads it: through the agent's socket where that
// agent runs here, else over its address. It never asks influxd itself.
import { request } from 'node:http';
import { join } from 'node:path';
import { encodeName } from '../shared/api/names.js';
import { nodeSchema } from '../shared/api/nodes.js';
import { AppError, messageOf } from '../shared/errors/app-error.js';
import type { Target } from './commands/target.js';

/** Bytes of a meta.Data message. Throws AppError `node-not-found`, `manager-…`, or `influxd-unreachable` where no agent gives it. */
export async function readLiveMetadata(
  target: Target,
  node: number,
  timeoutMs: number,
): Promise<Buffer> {
  const socketPath = join(target.config.agent.stateDir, 'agent.sock');
  if (await isAgentOf(socketPath, target.cluster, node, timeoutMs)) {
    return (await get({ socketPath, path: '/metadata' }, timeoutMs)).body;
  }
  const record = await target.api.json(`/nodes/${encodeName(target.cluster)}/${node}`, nodeSchema);
  const address = record['bind-address'];
  const url = new URL(`http://${address}/metadata`);
  let answer: Reply;
  try {
    answer = await get(
      { host: url.hostname, port: Number(url.port || 80), path: '/metadata' },
      timeoutMs,
    );
  } catch (error) {
    throw notAvailable(
      node,
      `its agent at ${address} can't be reached: ${messageOf(error)}`,
      error,
    );
  }
  if (answer.status !== 200) {
    throw notAvailable(
      node,
      `its agent at ${address} gives it to commands on its own machine alone`,
    );
  }
  return answer.body;
}

function notAvailable(node: number, reason: string, cause?: unknown): AppError {
  const message = `reading the live metadata of node ${node} failed because ${reason}; run this on that node, with its configuration`;
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

type Where =
  | { readonly socketPath: string; readonly path: string }
  | { readonly host: string; readonly port: number; readonly path: string };

function get(where: Where, timeoutMs: number): Promise<Reply> {
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
