// pause, resume: of a node, or of the whole cluster. The order is kept by the manager; nodes hear of it with their next
// heartbeat, and say in their state that they obey.
import type { Command } from 'commander';
import { encodeName } from '../../shared/api/names.js';
import { nodeListSchema, type NodeBody } from '../../shared/api/nodes.js';
import {
  clusterPauseAnswerSchema,
  nodePauseAnswerSchema,
  type PauseOrder,
} from '../../shared/api/orders.js';
import { AppError } from '../../shared/errors/app-error.js';
import { sleep } from '../../shared/lifecycle/backoff.js';
import { print, say, type Context } from '../context.js';
import { nodeIdNamed, nodePath } from '../node-name.js';
import { pausedText } from './nodes.js';
import { clusterPath, targetOf, type Target } from './target.js';
import { waitOf } from './wait-flag.js';

interface PauseFlags {
  readonly reason?: string;
  readonly wait?: string;
  readonly dryRun?: true;
}

/** The word in a node's state while it obeys a pause. */
const PAUSED_STATE = 'paused';

const POLL_MS = 500;

/** Exit code 8 where --wait is over and a node that is alive has not obeyed yet. */
export async function pauseOrResume(
  context: Context,
  command: Command,
  verb: 'pause' | 'resume',
  name: string | undefined,
): Promise<undefined> {
  const target = await targetOf(context, command);
  const { api, cluster } = target;
  const { reason, wait, dryRun } = command.opts<PauseFlags>();
  const waitMs = waitOf(wait);
  const body = reason === undefined ? {} : { reason };
  const query = dryRun === true ? '?dry-run=true' : '';
  const node = name === undefined ? undefined : await nodeIdNamed(target, name);
  const what = node === undefined ? `cluster ${cluster}` : `node ${node} of cluster ${cluster}`;
  const answer =
    node === undefined
      ? await api.post(clusterPath(cluster, `/${verb}${query}`), body, clusterPauseAnswerSchema)
      : await api.post(nodePath(cluster, node, `/${verb}${query}`), body, nodePauseAnswerSchema);
  print(context, answer, ({ paused }) => sentence(what, paused, dryRun === true));
  const stillPaused = 'nodes-paused' in answer ? answer['nodes-paused'] : [];
  if (verb === 'resume' && stillPaused.length > 0) {
    say(context, `still paused by themselves: nodes ${stillPaused.join(', ')}`);
  }
  if (dryRun !== true && waitMs > 0) await untilObeyed(target, node, waitMs);
  return undefined;
}

function sentence(what: string, paused: PauseOrder | null, isDry: boolean): string {
  const be = isDry ? 'would be' : 'is';
  return paused === null
    ? `${what} ${be} not paused`
    : `${what} ${be} paused: ${pausedText({ paused })}`;
}

/** What a node shall do is in its own record, so this holds whoever else orders meanwhile. Throws AppError `timeout`. */
async function untilObeyed(target: Target, id: number | undefined, waitMs: number): Promise<void> {
  const { api, cluster } = target;
  const deadlineMs = performance.now() + waitMs;
  for (;;) {
    const nodes = await api.json(`/nodes/${encodeName(cluster)}`, nodeListSchema);
    const late = nodes.filter((node) => (id === undefined || node.id === id) && !obeys(node));
    if (late.length === 0) return;
    if (performance.now() >= deadlineMs) {
      const names = late.map((node) => `${node.id} (${node.hostname}, ${node.state})`).join(', ');
      throw new AppError(
        'timeout',
        `the order stands, but these nodes have not obeyed within ${waitMs} ms: ${names}`,
      );
    }
    await sleep(POLL_MS);
  }
}

/** One that is not alive hears of the order when it is back. */
function obeys({ alive, paused, state }: NodeBody): boolean {
  const isOrdered = paused !== undefined && paused !== null;
  return !alive || isOrdered === (state === PAUSED_STATE);
}
