// What the data plane of an agent does for the others: takes batches, answers reads, hears of hints, and brings itself up to a
// version, a number or a password. What comes here is for this node alone and is never passed on.
import { z } from 'zod';
import { messageOf } from '../../shared/errors/app-error.js';
import type { Announcer } from '../gateway/backlog/announcer.js';
import type { CatchUpGate } from '../gateway/backlog/catch-up-gate.js';
import type { NewsAnswer } from '../gateway/backlog/news-wire.js';
import { BACKLOG_PATH, newsSchema } from '../gateway/backlog/news-wire.js';
import type { PeerWords } from '../gateway/backlog/peer-words.js';
import {
  deletesBodySchema,
  DELETES_PATH,
  PASSWORDS_PATH,
  reachBodySchema,
  REACH_PATH,
} from '../gateway/metadata/cluster-statements.js';
import type { LocalOwner } from '../gateway/owner/local-owner.js';
import {
  applyOutcomeToWire,
  batchFromQuery,
  MAX_BATCH_BYTES,
  notOpenedToWire,
  openedToWire,
  QUERY_PATH,
  readFromWire,
  WRITE_PATH,
} from '../gateway/owner/wire.js';
import type { PeerReply, PeerRequest, PeerRoute, PeerStream } from './peer-routes.js';
import { json, problem } from './peer-routes.js';

export interface DataRoutesDeps {
  readonly owner: Pick<LocalOwner, 'apply' | 'read'>;
  readonly words: Pick<PeerWords, 'boot' | 'hear'>;
  readonly gate: Pick<CatchUpGate, 'epoch'>;
  readonly stands: Announcer['stands'];
  /** Whether hints for this node can be delivered now. */
  readonly isReady: () => boolean;
  readonly monotonicMs: () => number;
  /** Resolves to whether this node has applied that version of the metadata now. */
  readonly reach: (version: number, signal: AbortSignal) => Promise<boolean>;
  /** Resolves to whether all deletes up to that number have been run here. */
  readonly runDeletes: (number: number, signal: AbortSignal) => Promise<boolean>;
  /** Takes a password that travels beside a statement; false where it can't be opened, or stands for another hash. */
  readonly takePassword: (body: unknown) => Promise<boolean>;
  /**
   * influxd asks its clients who they are, so that this endpoint must too: without a secret or mutual TLS anybody on this
   * machine could read and write through it with the agent's account.
   */
  readonly isGuarded: boolean;
}

const MAX_READ_BYTES = 4 * 1024 * 1024;
const MAX_WORD_BYTES = 1024 * 1024;

/** The sender gives up at the same time. */
const DEADLINE_MS = 30_000;

export function dataRoutes(deps: DataRoutesDeps): PeerRoute[] {
  const common = { method: 'POST', needs: deps.isGuarded ? 'proof' : 'proof-if-any' } as const;
  const word = { ...common, maxBodyBytes: MAX_WORD_BYTES } as const;
  const long = { ...common, deadlineMs: DEADLINE_MS } as const;
  return [
    { ...long, path: WRITE_PATH, maxBodyBytes: MAX_BATCH_BYTES, answer: writing(deps) },
    { ...long, path: QUERY_PATH, maxBodyBytes: MAX_READ_BYTES, answer: reading(deps) },
    { ...word, path: BACKLOG_PATH, answer: hearing(deps) },
    {
      ...word,
      path: REACH_PATH,
      answer: taking(reachBodySchema, ({ version }, signal) => deps.reach(version, signal)),
    },
    {
      ...word,
      path: DELETES_PATH,
      deadlineMs: DEADLINE_MS,
      answer: taking(deletesBodySchema, ({ number }, signal) => deps.runDeletes(number, signal)),
    },
    {
      ...word,
      path: PASSWORDS_PATH,
      answer: taking(z.unknown(), (body) => deps.takePassword(body)),
    },
  ];
}

function writing({ owner }: DataRoutesDeps) {
  return async ({ query, body, signal }: PeerRequest): Promise<PeerReply> => {
    const batch = batchFromQuery(query, body);
    if (batch === undefined) return problem(400, 'body-invalid', 'this is no batch of points');
    return json(200, applyOutcomeToWire(await owner.apply(batch, signal)));
  };
}

function reading({ owner }: DataRoutesDeps) {
  return async ({ body, signal }: PeerRequest): Promise<PeerReply | PeerStream> => {
    const query = readFromWire(body);
    if (query === undefined) return problem(400, 'body-invalid', 'this is no read');
    const outcome = await owner.read(query, signal);
    if (outcome.kind !== 'opened') return json(200, notOpenedToWire(outcome));
    return { head: openedToWire(outcome), body: outcome.body };
  };
}

function hearing({ words, gate, stands, isReady, monotonicMs }: DataRoutesDeps) {
  return async ({ body, from }: PeerRequest): Promise<PeerReply> => {
    const parsed = newsSchema.safeParse(jsonOf(body));
    if (!parsed.success) return problem(400, 'body-invalid', 'this is no word of hints');
    // Nobody speaks for another node where signatures say who speaks.
    if (from !== undefined && from !== parsed.data.from) {
      return problem(400, 'body-invalid', 'the word bears another uid than its signature');
    }
    await words.hear(parsed.data);
    const answer: NewsAnswer = {
      ...{ boot: words.boot, tick: monotonicMs(), epoch: gate.epoch },
      stands: stands(parsed.data.from, parsed.data.untold),
      ready: isReady(),
    };
    return json(200, answer);
  };
}

/** A request to bring this node up to something; `reached` tells whether it is. */
function taking<T>(schema: z.ZodType<T>, work: (body: T, signal: AbortSignal) => Promise<boolean>) {
  return async ({ body, signal }: PeerRequest): Promise<PeerReply> => {
    const parsed = schema.safeParse(jsonOf(body));
    if (!parsed.success) return problem(400, 'body-invalid', messageOf(parsed.error));
    return json(200, { reached: await work(parsed.data, signal) });
  };
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // Not JSON: the schemas refuse undefined, but for that of passwords, whose taker does.
    return undefined;
  }
}
