// /events: what happened, as a list or as a stream of server-sent events; /clusters/{cluster}/events: what nodes tell.
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  EVENT_STREAM_TYPE,
  eventAnswerSchema,
  eventListSchema,
  eventReportSchema,
  LAST_EVENT_ID_HEADER,
  type EventBody,
} from '../../shared/api/events.js';
import { MAX_VERSION, nameField, versionText } from '../../shared/api/fields.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { App } from './app.js';
import type { AppDeps } from './deps.js';
import { eventFrames } from './event-frames.js';
import { knownCluster } from './known-cluster.js';
import { clusterParams } from './params.js';
import { errors } from './responses.js';
import { assertRoomToWait } from './room-to-wait.js';
import { READ, WORK } from './security/access.js';
import { visibleCluster } from './security/callers.js';

const eventsQuery = z.object({
  cluster: nameField('cluster name').optional().describe('absent: all clusters, newest events'),
  since: versionText
    .optional()
    .describe('only events with a greater id; absent: the newest, and a stream begins now'),
  limit: z
    .string()
    .regex(/^[1-9]\d{0,5}$/, 'must be a whole number from 1 to 999999')
    .transform(Number)
    .optional()
    .describe('at most so many: the first after `since`, else the newest'),
});
type EventsQuery = z.infer<typeof eventsQuery>;

const eventsHeaders = z.looseObject({
  [LAST_EVENT_ID_HEADER]: z
    .string()
    .optional()
    .describe('of a stream that was cut: it goes on after this id'),
});

const streamText = z.string().describe('`id:` and `data:` of each event; comments in between');

export function eventRoutes(app: App, deps: AppDeps): void {
  app.get(
    '/events',
    {
      config: { access: { ...READ, cluster: 'query' } },
      schema: {
        tags: ['clusters'],
        summary: 'What happened: the kept events, or a stream of them',
        querystring: eventsQuery,
        headers: eventsHeaders,
        response: {
          200: {
            description: 'Oldest first; a stream where that is asked for by Accept',
            content: {
              'application/json': { schema: eventListSchema },
              [EVENT_STREAM_TYPE]: { schema: streamText },
            },
          },
          ...errors(400, 404, 503),
        },
      },
    },
    async (request, reply) => {
      if (wantsStream(request)) return stream(request, reply, deps);
      const listed = await list(request.query, visibleCluster(request), deps);
      // Bytes, so that names such as __proto__ pass untouched by any schema.
      return reply.type('application/json').send(Buffer.from(JSON.stringify(listed)));
    },
  );

  app.post(
    '/clusters/:cluster/events',
    {
      config: { access: { ...WORK, session: 'body' } },
      schema: {
        tags: ['clusters'],
        summary: 'Tell what happened at a node',
        params: clusterParams,
        body: eventReportSchema,
        response: { 201: eventAnswerSchema, ...errors(400, 404, 503) },
      },
    },
    async ({ params, body }, reply) => {
      const { name } = await knownCluster(deps, params.cluster);
      const id = await deps.services.events.report(name, body, deps.stop);
      return reply.code(201).send({ id });
    },
  );
}

type EventsRequest = FastifyRequest<{ Querystring: EventsQuery }>;

async function list(
  { cluster, since, limit = MAX_VERSION }: EventsQuery,
  own: string | undefined,
  deps: AppDeps,
): Promise<EventBody[]> {
  const { clusters, events } = deps.services;
  const name = cluster ?? own;
  if (name !== undefined) {
    await knownCluster(deps, name);
    return events.list(name, { since, limit }, deps.stop);
  }
  if (since !== undefined) throw oneCluster('since');
  const all: EventBody[] = [];
  for (const each of await clusters.list(deps.stop)) {
    all.push(...(await events.list(each.name, { since, limit }, deps.stop)));
  }
  return all.sort(byTime).slice(-limit);
}

async function stream(
  request: EventsRequest,
  reply: FastifyReply,
  deps: AppDeps,
): Promise<FastifyReply> {
  const cluster = request.query.cluster ?? visibleCluster(request);
  if (cluster === undefined) throw oneCluster('a stream');
  const { name } = await knownCluster(deps, cluster);
  assertRoomToWait(deps);
  const gone = new AbortController();
  reply.raw.once('close', () => {
    gone.abort();
  });
  const frames = eventFrames({
    follow: (idleMs) =>
      deps.services.events.follow(name, { since: sinceOf(request), idleMs, signal: gone.signal }),
    requestTimeoutMs: deps.limits.requestTimeoutMs,
    onStall: () => reply.raw.destroy(),
    logger: deps.logger,
  });
  return reply
    .type(EVENT_STREAM_TYPE)
    .header('cache-control', 'no-store')
    .send(Readable.from(frames, { objectMode: false, highWaterMark: BUFFER_BYTES }));
}

/** What is made ahead of a reader that is slow to take it. */
const BUFFER_BYTES = 64 * 1024;

/** A browser that connects again names the last id in the header; what it said at first stays in its URL. */
function sinceOf({ headers, query }: EventsRequest): number | undefined {
  const last = headers[LAST_EVENT_ID_HEADER];
  if (last === undefined || last === '') return query.since;
  const parsed = versionText.safeParse(last);
  if (parsed.success) return parsed.data;
  throw new AppError('body-invalid', `header ${LAST_EVENT_ID_HEADER}: must be the id of an event`, {
    status: 400,
  });
}

function wantsStream({ headers }: FastifyRequest): boolean {
  return (
    headers.accept?.split(',').some((type) => type.trim().startsWith(EVENT_STREAM_TYPE)) ?? false
  );
}

function oneCluster(what: string): AppError {
  const message = `query parameter cluster: must be given for ${what}, because ids are counted per cluster`;
  return new AppError('body-invalid', message, { status: 400 });
}

/** Times of one program with the same digits sort as text; a cluster's own order stays. */
function byTime(a: EventBody, b: EventBody): number {
  return a.at < b.at ? -1 : a.at > b.at ? 1 : 0;
}
