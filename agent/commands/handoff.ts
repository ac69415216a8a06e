// What `clusterflux handoff` asks the running agent on this machine: hints are kept by agents, not by managers.
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import { AppError } from '../../shared/errors/app-error.js';
import type { BacklogBody, BacklogDetail, PurgedBody } from '../gateway/handoff/control-wire.js';
import {
  backlogDetailSchema,
  backlogListSchema,
  backlogSchema,
  purgedSchema,
} from '../gateway/handoff/control-wire.js';
import type { AskedAgent, AskOptions } from '../status/control-client.js';
import { askAgent, streamFromAgent } from '../status/control-client.js';

export interface HandoffApi {
  list(): Promise<readonly BacklogBody[]>;
  get(node: string): Promise<BacklogDetail>;
  /** Attempts the owner at once; what waits for it now. */
  drain(node: string): Promise<BacklogBody>;
  /** Gives its hints up, or says which it would. */
  purge(node: string, isDry: boolean): Promise<PurgedBody>;
  /** All its hints as line protocol. */
  export(node: string): Promise<Readable>;
}

/** A disk full of hints goes through a pipe in this time. */
const EXPORT_DEADLINE_MS = 3_600_000;

/** All throw AppError `agent-not-running`, `node-not-found`, `timeout`, `aborted`, or what the agent answered. */
export function handoffApi(options: AskOptions): HandoffApi {
  const json = async <T>(method: 'GET' | 'POST', path: string, schema: z.ZodType<T>) => {
    const body = answered(await askAgent(method, `/handoff${path}`, options), options);
    return schema.parse(JSON.parse(body.toString()));
  };
  const of = (node: string, verb = '') => `/${encodeURIComponent(node)}${verb}`;
  return {
    list: () => json('GET', '', backlogListSchema),
    get: (node) => json('GET', of(node), backlogDetailSchema),
    drain: (node) => json('POST', of(node, '/drain'), backlogSchema),
    purge: (node, isDry) => json('POST', of(node, `/purge?dry-run=${isDry}`), purgedSchema),
    export: async (node) => {
      const path = `/handoff${of(node, '/export')}`;
      const asked = await streamFromAgent(path, { ...options, deadlineMs: EXPORT_DEADLINE_MS });
      return answered(asked, options);
    },
  };
}

function answered<T>(asked: AskedAgent<T>, { stateDir }: AskOptions): T {
  if (asked.kind === 'answered') return asked.value;
  throw new AppError(
    'agent-not-running',
    `no agent runs on the state directory ${stateDir}; name that of the agent whose hints are meant with --state-dir, as its user`,
  );
}
