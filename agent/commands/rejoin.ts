// agent rejoin: a new identity for this agent. It joins as a node that the cluster never saw, which drops nothing anywhere.
import { join } from 'node:path';
import { isAppError } from '../../shared/errors/app-error.js';
import { readIdentity } from '../state/identity.js';
import { renewStateDirectory } from '../state/state-directory.js';
import type { OneOffOptions, OneOffResult } from './options.js';

/** Throws AppError `already-running` while an agent holds the state directory, `state-unwritable`. */
export async function runRejoin({ config }: OneOffOptions): Promise<OneOffResult> {
  const { stateDir, cluster } = config.agent;
  const before = await identityBefore(stateDir);
  await renewStateDirectory(stateDir, cluster);
  const sentences = [
    `this agent is a new node now and joins cluster ${cluster} at its next start: what it and the cluster have is united, nothing is dropped`,
    ...(before?.cluster !== undefined && before.cluster !== cluster
      ? [`it was of cluster ${before.cluster}; set agent.cluster to ${cluster} before you start it`]
      : []),
    ...(before?.nodeId !== undefined
      ? [
          `the managers still list it as node ${before.nodeId} of cluster ${before.cluster}; \`clusterflux nodes forget ${before.nodeId} --cluster ${before.cluster} --yes\` takes that off the list. While it still counts as alive (15 s after its last heartbeat by default) they refuse a second agent of the same influxd; the agent tries again by itself`,
        ]
      : []),
  ];
  return { sentence: sentences.join('\n') };
}

/** Damage is no obstacle: to leave it behind is what this command is for. */
async function identityBefore(stateDir: string) {
  try {
    return await readIdentity(join(stateDir, 'identity.json'));
  } catch (error) {
    if (isAppError(error, 'state-not-current')) return undefined;
    throw error;
  }
}
