// agent apply --restart: restarts the local influxd once, for what no statement can set. Beside a running agent that one does
// it; else this process does, in its place and by the same rules.
import { isAppError } from '../../shared/errors/app-error.js';
import { systemClock } from '../../shared/lifecycle/clock.js';
import { eventBody } from '../events/event-reporter.js';
import { createHttpClusterLocks } from '../manager-api/cluster-locks.js';
import { createHttpEventsApi } from '../manager-api/http-events-api.js';
import { createHttpMembershipApi } from '../manager-api/http-membership-api.js';
import { makeReconciler } from '../make-reconciler.js';
import { pausedReport } from '../membership/gated-reconciler.js';
import { OrderBook } from '../membership/orders.js';
import type { OpenPorts } from '../open-ports.js';
import { openPorts } from '../open-ports.js';
import type { RestartAnswer, RestartRequest } from '../restart/restarts.js';
import { describeRestart, restartWriterOf, Restarts } from '../restart/restarts.js';
import { askForRestart } from '../status/control-client.js';
import type { OneOffOptions } from './options.js';
import { whileRegistered } from './registration.js';
import { RETRY_MS } from './rounds.js';

export interface ApplyRestartOptions extends OneOffOptions {
  readonly request: RestartRequest;
  /** How long to wait for another node that restarts or is down, in ms; 0: it is tried once. */
  readonly waitMs: number;
}

/** A stop and a start may each take a minute, with a command that hangs before each; a hanging agent is noticed later. */
const AGENT_DEADLINE_MS = 300_000;

/** Nobody waits long for news of what is done. */
const TELL_DEADLINE_MS = 3_000;

const clock = systemClock();

/**
 * Restarts, or says why not. Throws AppError `usage` where nothing says how, `manager-unreachable`, `already-running`,
 * `state-unwritable`, `state-not-current`, `config-invalid`, `timeout`, `aborted`.
 */
export async function runApplyRestart(options: ApplyRestartOptions): Promise<RestartAnswer> {
  const endMs = clock.monotonicMs() + options.waitMs;
  for (;;) {
    const isLast = clock.monotonicMs() >= endMs;
    const answer = await tryOnce(options, isLast);
    if (answer !== undefined && (answer.kind !== 'waits' || isLast)) return answer;
    await clock.sleep(RETRY_MS, options.signal);
  }
}

/** Undefined where an agent holds the state directory that just starts or stops. */
async function tryOnce(
  options: ApplyRestartOptions,
  isLast: boolean,
): Promise<RestartAnswer | undefined> {
  const { config, request, signal } = options;
  const ask = { stateDir: config.agent.stateDir, deadlineMs: AGENT_DEADLINE_MS, signal };
  const asked = await askForRestart(request, ask);
  if (asked.kind === 'answered') return asked.value;
  try {
    const ports = await openPorts(config, options.logger);
    try {
      return await restartHere(ports, options);
    } finally {
      await ports.close();
    }
  } catch (error) {
    if (!isAppError(error, 'already-running') || isLast) throw error;
    return undefined;
  }
}

async function restartHere(ports: OpenPorts, options: ApplyRestartOptions): Promise<RestartAnswer> {
  const { config, logger, request, signal } = options;
  const { client, state } = ports;
  const orders = new OrderBook({ store: ports.base, logger, onChange: () => undefined });
  if (request.dryRun) return restartsOf(ports, options, { orders }).byHand(request, signal);
  const api = createHttpMembershipApi(client);
  const deps = { config, api, state, orders, clock, influxd: undefined, waitMs: 0, signal };
  return whileRegistered(deps, async (standing) => {
    if (standing.kind === 'refused') return { kind: 'waits', why: standing.sentence };
    if (orders.pause !== undefined) {
      return { kind: 'waits', why: pausedReport(orders.pause).sentence };
    }
    const { id: nodeId } = standing;
    const answer = await restartsOf(ports, options, { orders, nodeId }).byHand(request, signal);
    await tell(answer, { ports, options, nodeId });
    return answer;
  });
}

function restartsOf(
  ports: OpenPorts,
  { config, logger }: ApplyRestartOptions,
  { orders, nodeId }: { readonly orders: OrderBook; readonly nodeId?: number },
): Restarts {
  const { client, influxd, state } = ports;
  const writer = restartWriterOf(config, influxd);
  const { reconciler, remoteView } = makeReconciler(ports, {
    config,
    logger,
    writer,
    nodeId: () => nodeId,
    orders,
    // What this command finds besides its own work, the agent or the next `agent sync` tells.
    onEvent: () => undefined,
  });
  return new Restarts({
    config,
    uid: state.identity.uid,
    nodeId: () => nodeId,
    influxd,
    reconciler,
    refresh: (signal) => remoteView.refresh(signal),
    writer,
    locks: createHttpClusterLocks(client),
    clock,
    logger,
    onRestarting: () => undefined,
    onOutcome: () => undefined,
  });
}

/** A restart is an event; the command's own work is done, and only news of it may be missing. */
async function tell(answer: RestartAnswer, { ports, options, nodeId }: Told): Promise<void> {
  if (answer.kind !== 'restarted' && answer.kind !== 'failed') return;
  const { config, logger, signal } = options;
  const event = { kind: 'restart', text: describeRestart(answer) } as const;
  const body = eventBody(event, { node: nodeId, uid: ports.state.identity.uid });
  try {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(TELL_DEADLINE_MS)]);
    await createHttpEventsApi(ports.client).post(config.agent.cluster, body, deadline);
  } catch (error) {
    if (!isAppError(error) || signal.aborted) throw error;
    logger.warn('telling the managers of the restart failed', { err: error });
  }
}

interface Told {
  readonly ports: OpenPorts;
  readonly options: ApplyRestartOptions;
  readonly nodeId: number;
}
