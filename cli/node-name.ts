// Which node a person means: its number, or its hostname where only one node of the cluster has it.
import { encodeName } from '../shared/api/names.js';
import { nodeListSchema, nodeSchema, type NodeBody } from '../shared/api/nodes.js';
import { AppError } from '../shared/errors/app-error.js';
import type { Target } from './commands/target.js';

/** The node as the manager has it. Throws AppError `node-not-found`, `usage` where a hostname is that of several nodes. */
export async function nodeNamed(target: Target, text: string): Promise<NodeBody> {
  const id = await nodeIdNamed(target, text);
  return target.api.json(nodePath(target.cluster, id), nodeSchema);
}

/** Its number; nothing is asked where that was given. Throws as `nodeNamed`, where a hostname was. */
export async function nodeIdNamed({ api, cluster }: Target, text: string): Promise<number> {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  const nodes = await api.json(`/nodes/${encodeName(cluster)}`, nodeListSchema);
  const named = nodes.filter(({ hostname }) => hostname === text);
  const [first] = named;
  if (first === undefined) {
    throw new AppError(
      'node-not-found',
      `no node of cluster ${cluster} has the hostname ${JSON.stringify(text)}; \`clusterflux nodes list\` shows those that are`,
      { status: 404 },
    );
  }
  if (named.length > 1) {
    const ids = named.map(({ id }) => id).join(', ');
    throw new AppError(
      'usage',
      `several nodes of cluster ${cluster} have the hostname ${JSON.stringify(text)}; name one by its number: ${ids}`,
    );
  }
  return first.id;
}

/** `/nodes/{cluster}/{id}` and what follows. */
export function nodePath(cluster: string, id: number, rest = ''): string {
  return `/nodes/${encodeName(cluster)}/${id}${rest}`;
}
