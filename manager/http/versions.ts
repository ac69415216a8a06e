// /clusters/{cluster}/versions: writing a version and reading the newest, with long poll.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { writeAnswerSchema } from '../../shared/api/history.js';
import {
  APPROVE_HEADER,
  DIGEST_HEADER,
  FORKED,
  IDEMPOTENCY_HEADER,
  INCARNATION_HEADER,
  KNOWN_HEADER,
  LINEAGE_HEADER,
  NODE_HEADER,
  SNAPSHOT_TYPE,
  VERSION_HEADER,
} from '../../shared/api/headers.js';
import { decodedSnapshot, decodedSnapshotSchema } from '../../shared/api/snapshots.js';
import { formatTag, type VersionTag } from '../../shared/api/version-tag.js';
import { parseDuration } from '../../shared/config/units.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { Schema } from '../../shared/meta/model.js';
import { versionAccepted } from '../events/tellings.js';
import type { Wait } from '../metadata/waiters.js';
import type { Author } from '../metadata/records.js';
import type { App } from './app.js';
import type { AppDeps } from './deps.js';
import { checkSameVersion, idempotencyKey, tagHeader, versionParams } from './params.js';
import { errors, NO_CONTENT, snapshotContent } from './responses.js';
import { assertRoomToWait } from './room-to-wait.js';
import { READ, WORK } from './security/access.js';
import { maySeeHashes, personOf } from './security/callers.js';

export const waitQuery = z.object({
  wait: z
    .string()
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined) return ms;
      context.addIssue({ code: 'custom', message: 'must be a duration such as 30s or 0s' });
      return z.NEVER;
    })
    .optional()
    .describe('how long to wait for a newer version, at most and by default manager.long-poll'),
});

const tag = z.string().optional();
const readHeaders = z.looseObject({
  [KNOWN_HEADER]: tag.describe(
    'the ETag that the reader last saw: "{incarnation}.{version}.{digest}"',
  ),
});
const writeHeaders = z.looseObject({
  'if-match': tag.describe('the ETag that the writer last saw'),
  [IDEMPOTENCY_HEADER]: z
    .string()
    .optional()
    .describe('names the write: sent again, it gets the same answer'),
  [NODE_HEADER]: z.string().optional().describe('the id of the node that writes'),
  [APPROVE_HEADER]: z
    .string()
    .optional()
    .describe('the `digest` of a 422 too-many-drops: exactly these drops are meant'),
});
/** Checked by the publisher; here it is only described. */
const snapshotBody = z
  .unknown()
  .meta({ type: 'string', format: 'binary', description: 'a meta.Data message' });

export function versionRoutes(app: App, deps: AppDeps): void {
  const tags = ['clusters'];

  app.get(
    '/clusters/:cluster/versions/:version',
    {
      config: { access: READ },
      schema: {
        tags,
        summary: 'The newest snapshot, as soon as it is another than {version}',
        params: versionParams,
        querystring: waitQuery,
        headers: readHeaders,
        response: {
          200: {
            description: 'The newest snapshot',
            content: { ...snapshotContent, 'application/json': { schema: decodedSnapshotSchema } },
          },
          204: NO_CONTENT.describe('nothing newer within the wait'),
          ...errors(400, 404, 503),
        },
      },
    },
    async (request, reply) => {
      const { cluster, version } = request.params;
      const known = tagHeader(KNOWN_HEADER, request.headers[KNOWN_HEADER]);
      checkSameVersion(KNOWN_HEADER, known, version);
      const outcome = await deps.services.reader.read(
        deps.services.views.of(cluster),
        {
          seenVersion: version,
          known,
          waitMs: Math.min(request.query.wait ?? deps.limits.longPollMs, deps.limits.longPollMs),
          onWait: (begin) => beginWait(begin, reply, deps),
        },
        deps.stop,
      );
      if (outcome.kind === 'unchanged') return reply.code(204).send();
      const { published, bytes, forked } = outcome;
      if (forked) deps.metrics.forks.inc();
      return sendSnapshot(request, reply, deps, {
        tag: published.tag,
        bytes,
        forked,
        schema: () => published.schema(),
      });
    },
  );

  app.route({
    method: ['PUT', 'POST'],
    url: '/clusters/:cluster/versions/:version',
    bodyLimit: deps.limits.maxSnapshotBytes,
    config: { takesSnapshot: true, access: { ...WORK, session: 'header' } },
    schema: {
      tags,
      summary: 'Write the version after {version}, where that is still the newest',
      consumes: [SNAPSHOT_TYPE, 'application/octet-stream'],
      params: versionParams,
      headers: writeHeaders,
      body: snapshotBody,
      response: {
        200: writeAnswerSchema,
        409: {
          description: 'Another version stands: its snapshot, and its version in the header',
          content: snapshotContent,
        },
        ...errors(400, 413, 422, 503),
      },
    },
    handler: (request, reply) => write(request, reply, deps),
  });
}

type VersionRequest = FastifyRequest<{ Params: { cluster: string; version: number } }>;

async function write(
  request: VersionRequest,
  reply: FastifyReply,
  deps: AppDeps,
): Promise<FastifyReply> {
  const { cluster, version } = request.params;
  const ifMatch = tagHeader('if-match', request.headers['if-match']);
  checkSameVersion('if-match', ifMatch, version);
  const { events, publisher, reader, views } = deps.services;
  const view = views.of(cluster);
  const author = authorOf(request);
  const outcome = await publisher.write(
    view,
    {
      seenVersion: version,
      ifMatch,
      bytes: (request.body as Buffer | undefined) ?? Buffer.alloc(0),
      idempotencyKey: idempotencyKey(request.headers),
      author,
      // A node's agent has proof for what it drops, and a guard of its own.
      ...(author.node === undefined ? { guarded: { approve: approvedDigest(request) } } : {}),
    },
    deps.stop,
  );
  deps.metrics.writes.inc({ outcome: outcome.kind });
  if (outcome.kind === 'accepted') {
    const { tag } = outcome;
    events.tell(cluster, versionAccepted(deps.store, view.keys, tag));
    return setTag(reply, tag).send({ ...tag });
  }
  if (outcome.forked) deps.metrics.forks.inc();
  void reply.code(409);
  const newest = await reader.newest(view);
  if (newest === undefined) {
    return reply.header(VERSION_HEADER, 0).type(SNAPSHOT_TYPE).send(Buffer.alloc(0));
  }
  const { published, bytes } = newest;
  const { forked } = outcome;
  return sendSnapshot(request, reply, deps, {
    tag: published.tag,
    bytes,
    forked,
    schema: () => published.schema(),
  });
}

/** A reader begins to wait: not too many at once, and one that goes away ends its wait. */
function beginWait(begin: () => Wait, reply: FastifyReply, deps: AppDeps): Wait {
  assertRoomToWait(deps);
  const wait = begin();
  reply.raw.once('close', () => {
    wait.cancel();
  });
  return wait;
}

export interface SnapshotAnswer {
  readonly tag: VersionTag;
  readonly bytes: Buffer;
  readonly forked: boolean;
  /** For the decoded form. */
  readonly schema: () => Promise<Schema>;
}

/** Answers with a snapshot: the bytes as they were sent, or the decoded form where JSON is asked for. */
export async function sendSnapshot(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: AppDeps,
  answer: SnapshotAnswer,
): Promise<FastifyReply> {
  setTag(reply, answer.tag);
  if (answer.forked) void reply.header(LINEAGE_HEADER, FORKED);
  if (!wantsJson(request) && maySeeHashes(request)) {
    return reply.type(SNAPSHOT_TYPE).send(answer.bytes);
  }
  const mask = await deps.services.masks.mask(deps.stop);
  const decoded = decodedSnapshot(answer.tag, await answer.schema(), mask);
  // Bytes, so that names such as __proto__ pass untouched by any schema.
  return reply.type('application/json').send(Buffer.from(JSON.stringify(decoded)));
}

function setTag(reply: FastifyReply, tag: VersionTag): FastifyReply {
  return reply
    .header(VERSION_HEADER, tag.version)
    .header(INCARNATION_HEADER, tag.incarnation)
    .header(DIGEST_HEADER, tag.digest)
    .header('etag', formatTag(tag));
}

function wantsJson({ headers }: FastifyRequest): boolean {
  return (
    headers.accept?.split(',').some((type) => type.trim().startsWith('application/json')) ?? false
  );
}

function approvedDigest({ headers }: FastifyRequest): string | undefined {
  const digest = headers[APPROVE_HEADER];
  return digest === undefined ? undefined : String(digest);
}

function authorOf(request: FastifyRequest): Author {
  const text = request.headers[NODE_HEADER];
  if (text === undefined) return personOf(request);
  const node = Number(text);
  if (/^\d{1,15}$/.test(String(text)) && node > 0) return { node };
  throw new AppError('body-invalid', `header ${NODE_HEADER}: must be the id of a node`, {
    status: 400,
  });
}
