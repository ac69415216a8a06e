// The routes about hints on the agent's socket, for `clusterflux handoff`: looking, attempting, giving up, exporting.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError, isAbort } from '../../../shared/errors/app-error.js';
import { sendJson } from '../../../shared/http/answers.js';
import type { BacklogDetail, HintBody, PurgedBody } from './control-wire.js';
import { backlogToWire } from './control-wire.js';
import { exportHints } from './export.js';
import type { HintedHandoff } from './hinted-handoff.js';
import type { HintItem } from './log-item.js';
import type { OwnerHints } from './owner-hints.js';

export type HandoffControl = (
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
) => Promise<void>;

/** How many hints a look at one owner shows. */
const SHOWN_HINTS = 10;
/** Of the first line of each. */
const SHOWN_CHARACTERS = 120;

/** Below this a part of a uid could be anybody's. */
const SHORTEST_UID = 4;

/**
 * GET /handoff, GET /handoff/NODE, POST /handoff/NODE/drain, POST /handoff/NODE/purge[?dry-run=true], GET
 * /handoff/NODE/export. Rejects with AppError `node-not-found`, `route-not-found`, and what recording a purge failed with.
 */
export function createHandoffControl(handoff: HintedHandoff): HandoffControl {
  return async (request, response, signal) => {
    const url = new URL(request.url ?? '', 'http://agent');
    const [, , name = '', verb = ''] = url.pathname.split('/').map(decodeURIComponent);
    const route = `${request.method ?? ''} ${name === '' ? '' : 'NODE'} ${verb}`.trim();
    if (route === 'GET') {
      sendJson(response, 200, handoff.backlogs().map(backlogToWire));
      return;
    }
    switch (route) {
      case 'GET NODE':
        sendJson(response, 200, await detailOf(ownerNamed(handoff, name)));
        return;
      case 'POST NODE drain':
        sendJson(response, 200, nudged(ownerNamed(handoff, name)));
        return;
      case 'POST NODE purge': {
        const isDry = url.searchParams.get('dry-run') === 'true';
        sendJson(response, 200, await purged(handoff, ownerNamed(handoff, name), isDry, signal));
        return;
      }
      case 'GET NODE export':
        await sendExport(response, ownerNamed(handoff, name), signal);
        return;
      default:
        throw new AppError(
          'route-not-found',
          `the agent's socket does not serve ${request.method ?? ''} ${url.pathname}`,
          { status: 404 },
        );
    }
  };
}

function ownerNamed(handoff: HintedHandoff, name: string): OwnerHints {
  const all = handoff.all();
  const named = all.filter(
    ({ uid, node }) =>
      uid === name ||
      (node !== undefined && String(node) === name) ||
      (name.length >= SHORTEST_UID && uid.startsWith(name)),
  );
  const [first] = named;
  if (first !== undefined && named.length === 1) return first;
  const why = first === undefined ? 'this agent keeps none for it' : 'several owners are meant';
  throw new AppError(
    'node-not-found',
    `there are no hints for ${JSON.stringify(name)}: ${why}; \`clusterflux handoff list\` shows the owners, by number and uid`,
    { status: 404 },
  );
}

async function detailOf(owner: OwnerHints): Promise<BacklogDetail> {
  const first: HintBody[] = [];
  for await (const item of owner.log.scan()) {
    first.push(hintToWire(item));
    if (first.length >= SHOWN_HINTS) break;
  }
  return { ...backlogToWire(owner.backlog), first };
}

function hintToWire({ sequence, takenMs, batch, length }: HintItem): HintBody {
  const { database, policy, group, shard, points, body } = batch;
  const [line = ''] = body.toString('utf8', 0, 4 * SHOWN_CHARACTERS).split('\n');
  return {
    sequence,
    taken: new Date(takenMs).toISOString(),
    database,
    policy,
    group,
    shard,
    points,
    bytes: length,
    line: line.slice(0, SHOWN_CHARACTERS),
  };
}

function nudged(owner: OwnerHints) {
  owner.nudge();
  return backlogToWire(owner.backlog);
}

async function purged(
  handoff: HintedHandoff,
  owner: OwnerHints,
  isDry: boolean,
  signal: AbortSignal,
): Promise<PurgedBody> {
  const before = backlogToWire(owner.backlog);
  if (!isDry) await handoff.purge(owner.uid, signal);
  return { ...before, 'dry-run': isDry };
}

async function sendExport(
  response: ServerResponse,
  owner: OwnerHints,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  try {
    await pipeline(Readable.from(exportHints(owner.log.scan())), response, { signal });
  } catch (error) {
    // The reader went away, or this agent does: the body breaks off, which is all that can still be said.
    response.destroy();
    if (!isAbort(error) && (error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') {
      throw error;
    }
  }
}
