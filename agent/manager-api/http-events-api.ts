// The event call of the manager over HTTP.
import { randomUUID } from 'node:crypto';
import { IDEMPOTENCY_HEADER } from '../../shared/api/headers.js';
import { encodeName } from '../../shared/api/names.js';
import type { EventsApi } from '../events/event-reporter.js';
import { expectProblem } from './answers.js';
import { judge } from './http-manager-api.js';
import type { ManagerClient } from './manager-client.js';

/** One small transaction. */
const EVENT_DEADLINE_MS = 3_000;

export function createHttpEventsApi(client: ManagerClient): EventsApi {
  return {
    async post(cluster, event, signal) {
      const answer = await client.call({
        method: 'POST',
        path: `/clusters/${encodeName(cluster)}/events`,
        // News that is told twice is a blemish, news that is lost is worse: it may be repeated.
        headers: { [IDEMPOTENCY_HEADER]: event.key ?? randomUUID() },
        body: event,
        deadlineMs: EVENT_DEADLINE_MS,
        signal,
      });
      return judge(client, answer, () => {
        if (answer.status === 201 || answer.status === 200) return true;
        expectProblem(answer);
        return false;
      });
    },
  };
}
