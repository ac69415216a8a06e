// events: what happened in a cluster, and with --follow what happens, across managers that go away and come back.
import type { Command } from 'commander';
import {
  EVENT_KINDS,
  eventListSchema,
  eventSchema,
  type EventBody,
} from '../../shared/api/events.js';
import { encodeName } from '../../shared/api/names.js';
import { parseDuration } from '../../shared/config/units.js';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import { sleep } from '../../shared/lifecycle/backoff.js';
import { print, say, type Context } from '../context.js';
import { renderTable } from '../output/table.js';
import { targetOf, type Target } from './target.js';

interface EventsFlags {
  readonly follow?: true;
  readonly since?: string;
  readonly kind?: string;
}

/** With --follow, and nothing said of when, so many of the past are shown first. */
const PAST_EVENTS = 10;

/** A manager that went away is asked again after this. */
const RETRY_MS = 1_000;

/** Values beside a text are shown as far as they fit on a line. */
const MAX_SHOWN_VALUE = 80;

export async function events(context: Context, command: Command): Promise<undefined> {
  const target = await targetOf(context, command);
  const flags = command.opts<EventsFlags>();
  const isAsked = filterOf(flags);
  const path = `/events?cluster=${encodeName(target.cluster)}`;
  const since = idOf(flags.since);
  const all = await target.api.json(
    since === undefined ? path : `${path}&since=${since}`,
    eventListSchema,
  );
  const asked = all.filter(isAsked);
  if (flags.follow !== true) {
    print(context, asked, eventsTable);
    return undefined;
  }
  const past = flags.since === undefined ? asked.slice(-PAST_EVENTS) : asked;
  for (const event of past) printOne(context, event);
  // What the list ended with, whether it was shown or not. Nothing yet: from the first on, or from where was asked.
  await follow(context, target, { path, last: all.at(-1)?.id ?? since ?? 0, isAsked });
  return undefined;
}

interface Following {
  readonly path: string;
  readonly last: number;
  readonly isAsked: (event: EventBody) => boolean;
}

/** For ever, until this process is ended. Throws what a manager answers instead of a stream. */
async function follow(context: Context, target: Target, from: Following): Promise<never> {
  let { last } = from;
  let isTold = false;
  for (;;) {
    try {
      for await (const data of target.api.stream(`${from.path}&since=${last}`)) {
        isTold = false;
        const event = eventOf(data);
        if (event === undefined || event.id <= last) continue;
        last = event.id;
        if (from.isAsked(event)) printOne(context, event);
      }
    } catch (error) {
      if (!isAppError(error, 'manager-unreachable', 'store-unavailable')) throw error;
      if (!isTold) say(context, `${error.message}; trying on`);
      isTold = true;
    }
    await sleep(RETRY_MS);
  }
}

/** Newer managers may tell more; what is no event at all is passed over. */
function eventOf(data: string): EventBody | undefined {
  try {
    return eventSchema.parse(JSON.parse(data));
  } catch {
    return undefined;
  }
}

/** Throws AppError `usage` for what is neither a duration nor an id, and for unknown kinds. */
function filterOf({ since, kind }: EventsFlags): (event: EventBody) => boolean {
  const kinds = kind === undefined ? undefined : new Set(kind.split(',').map((one) => one.trim()));
  for (const one of kinds ?? []) {
    if ((EVENT_KINDS as readonly string[]).includes(one)) continue;
    throw new AppError('usage', `--kind takes ${EVENT_KINDS.join(', ')}; got "${one}"`);
  }
  const agoMs = since === undefined || idOf(since) !== undefined ? undefined : durationOf(since);
  const fromMs = agoMs === undefined ? -Infinity : Date.now() - agoMs;
  return (event) =>
    (kinds === undefined || kinds.has(event.kind)) && Date.parse(event.at) >= fromMs;
}

/** The id of an event; undefined where it is a duration (`0` is both, and means the same). */
function idOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function durationOf(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new AppError(
    'usage',
    `--since takes a duration such as 1h, or the id of an event, got "${text}"`,
  );
}

/** With -o json one object per line, so that a program can read on. */
function printOne(context: Context, event: EventBody): void {
  const line =
    context.options.output === 'json' ? JSON.stringify(event) : eventsTable([event], false);
  context.io.stdout.write(`${line}\n`);
}

function eventsTable(list: readonly EventBody[], hasHead = true): string {
  const text = renderTable(list, [
    { title: 'id', value: (event) => event.id, align: 'right' },
    { title: 'at', value: (event) => event.at },
    { title: 'node', value: (event) => event.node, align: 'right' },
    { title: 'kind', value: (event) => event.kind },
    { title: 'what', value: (event) => event.text + valuesOf(event) },
  ]);
  return hasHead ? text : text.split('\n').slice(1).join('\n');
}

/** Both values, where there are two and the text is not made of them already. */
function valuesOf({ kind, before, after }: EventBody): string {
  const isSaid = kind === 'version' || kind === 'rollback' || kind === 'forked';
  if (isSaid || before === null || after === null) return '';
  return ` (${shown(before)} → ${shown(after)})`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= MAX_SHOWN_VALUE ? text : `${text.slice(0, MAX_SHOWN_VALUE - 1)}…`;
}
