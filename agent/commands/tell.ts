// The last word of a one-off command: how it ended, what it holds, what others should know, as a running agent would say it.
import { isAppError } from '../../shared/errors/app-error.js';
import { systemClock } from '../../shared/lifecycle/clock.js';
import { eventBody } from '../events/event-reporter.js';
import { createHttpEventsApi } from '../manager-api/http-events-api.js';
import { createHttpMembershipApi } from '../manager-api/http-membership-api.js';
import type { InfluxdFacts } from '../manager-api/membership-port.js';
import type { OpenPorts } from '../open-ports.js';
import { AgentStatus } from '../status/agent-status.js';
import type { SyncEvent, TickReport } from '../sync/port.js';
import type { OneOffOptions } from './options.js';

/** The command's own work is done by then: nobody waits long for this. */
const TELL_DEADLINE_MS = 3_000;

const clock = systemClock();

export interface Telling {
  readonly ports: OpenPorts;
  readonly options: OneOffOptions;
  readonly nodeId: number;
  readonly session: string;
  readonly influxd: InfluxdFacts | undefined;
  readonly events: readonly SyncEvent[];
}

/** Tells the managers how it ended, as a running agent would; a person who decides what is held finds it there. */
export async function tellManagers(
  { ports, options, nodeId, session, influxd, events }: Telling,
  report: TickReport,
): Promise<void> {
  const { config, logger } = options;
  const { cluster } = config.agent;
  const { uid } = ports.state.identity;
  const status = new AgentStatus({ cluster, readyTimeoutMs: 0, clock, hints: () => [] });
  status.noteStanding({ kind: 'member', id: nodeId });
  status.noteReport(report);
  const { state, appliedVersion: version, pendingCount: pending, held } = status;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(TELL_DEADLINE_MS)]);
  try {
    const heartbeat = { uid, session, version, state, influxd, pending, held, hints: undefined };
    await createHttpMembershipApi(ports.client).refresh(cluster, nodeId, heartbeat, signal);
    const api = createHttpEventsApi(ports.client);
    for (const event of events)
      await api.post(cluster, eventBody(event, { node: nodeId, uid }), signal);
  } catch (error) {
    if (!isAppError(error) || options.signal.aborted) throw error;
    // The work is done; only news of it is missing.
    logger.warn('telling the managers how it ended failed', { err: error });
  }
}
