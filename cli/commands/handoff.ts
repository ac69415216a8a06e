// handoff list, get, drain, purge and export: the hints that the agent on this machine keeps for others.
import type { Command } from 'commander';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { handoffApi, type HandoffApi } from '../../agent/commands/handoff.js';
import type { BacklogBody } from '../../agent/gateway/handoff/control-wire.js';
import { AppError, isAppError, messageOf } from '../../shared/errors/app-error.js';
import { sleep } from '../../shared/lifecycle/backoff.js';
import { print, say, type Context } from '../context.js';
import { EXIT } from '../exit-codes.js';
import { age } from '../output/age.js';
import { renderFields, renderTable } from '../output/table.js';
import { runOneOff } from './agent-one-off.js';
import { assertYes } from './target.js';
import { waitOf } from './wait-flag.js';

/** Often enough for a person who looks on. */
const PROGRESS_MS = 500;

export async function handoffList(context: Context, command: Command): Promise<undefined> {
  const list = await withApi(context, command, (api) => api.list());
  print(context, list, backlogTable);
  return undefined;
}

export async function handoffGet(
  context: Context,
  command: Command,
  node: string,
): Promise<undefined> {
  const detail = await withApi(context, command, (api) => api.get(node));
  print(context, detail, ({ first, ...backlog }) =>
    [
      renderFields(fieldsOf(backlog)),
      '',
      renderTable(first, [
        { title: 'hint', value: (hint) => hint.sequence, align: 'right' },
        { title: 'taken', value: (hint) => hint.taken },
        { title: 'database', value: (hint) => `${hint.database}.${hint.policy}` },
        { title: 'group', value: (hint) => hint.group, align: 'right' },
        { title: 'points', value: (hint) => hint.points, align: 'right' },
        { title: 'bytes', value: (hint) => hint.bytes, align: 'right' },
        { title: 'first line', value: (hint) => hint.line },
      ]),
    ].join('\n'),
  );
  return undefined;
}

/** 0 when nothing is left, 8 when something still is at the deadline. */
export async function handoffDrain(
  context: Context,
  command: Command,
  node: string,
): Promise<number> {
  const waitMs = waitOf(command.opts<{ wait?: string }>().wait);
  const left = await withApi(context, command, async (api, signal) => {
    const endMs = performance.now() + waitMs;
    let backlog = await api.drain(node);
    while (backlog.records > 0 && performance.now() < endMs) {
      say(context, progressOf(backlog));
      await sleep(PROGRESS_MS, signal);
      backlog = await newest(api, node, backlog);
    }
    return backlog;
  });
  print(context, left, (backlog) =>
    backlog.records === 0 ? `nothing waits for ${nameOf(backlog)}` : progressOf(backlog),
  );
  return left.records === 0 ? EXIT.ok : EXIT.timeout;
}

export async function handoffPurge(
  context: Context,
  command: Command,
  node: string,
): Promise<undefined> {
  const isDry = command.opts<{ dryRun?: true }>().dryRun === true;
  if (!isDry) {
    assertYes(command, `gives up all hints for node ${node}, which then lacks those points`);
  }
  const purged = await withApi(context, command, (api) => api.purge(node, isDry));
  print(context, purged, (body) => {
    const what = `${body.records} hints with ${body.points} points for ${nameOf(body)}`;
    return isDry ? `${what} would be given up; nothing was changed` : `${what} are given up`;
  });
  return undefined;
}

export async function handoffExport(
  context: Context,
  command: Command,
  node: string,
  file: string,
): Promise<undefined> {
  await withApi(context, command, async (api, signal) => {
    const body = await api.export(node);
    try {
      // Never over something that is there, and for nobody else to read.
      await pipeline(body, createWriteStream(file, { flags: 'wx', mode: 0o600 }), { signal });
    } catch (error) {
      throw new AppError(
        'state-unwritable',
        `writing the hints for ${node} into ${file} failed: ${messageOf(error)}; what is in it is not all`,
        { cause: error },
      );
    }
  });
  say(
    context,
    `the hints for ${node} are in ${file}; \`influx -import -path ${file}\` writes them`,
  );
  return undefined;
}

function withApi<T>(
  context: Context,
  command: Command,
  work: (api: HandoffApi, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return runOneOff(context, command, ({ config, signal }) => {
    const { timeoutMs: deadlineMs } = context.options;
    return work(handoffApi({ stateDir: config.agent.stateDir, deadlineMs, signal }), signal);
  });
}

/** An owner of which nothing is known any more has nothing that waits. */
async function newest(api: HandoffApi, node: string, before: BacklogBody): Promise<BacklogBody> {
  try {
    return await api.get(node);
  } catch (error) {
    if (!isAppError(error, 'node-not-found')) throw error;
    return { ...before, records: 0, points: 0, bytes: 0 };
  }
}

function backlogTable(list: readonly BacklogBody[]): string {
  const nowMs = Date.now();
  return renderTable(list, [
    { title: 'node', value: ({ node }) => node, align: 'right' },
    { title: 'uid', value: ({ owner }) => owner },
    { title: 'hints', value: ({ records }) => records, align: 'right' },
    { title: 'points', value: ({ points }) => points, align: 'right' },
    { title: 'bytes', value: ({ bytes }) => bytes, align: 'right' },
    { title: 'oldest', value: ({ oldest }) => age(oldest, nowMs), align: 'right' },
    { title: 'state', value: ({ state }) => state },
    { title: 'last error', value: (backlog) => backlog['last-error'] },
  ]);
}

function fieldsOf(backlog: BacklogBody) {
  return [
    ['node', backlog.node],
    ['uid', backlog.owner],
    ['hints', backlog.records],
    ['points', backlog.points],
    ['bytes', backlog.bytes],
    ['oldest', backlog.oldest],
    ['groups', backlog.groups.join(', ')],
    ['state', backlog.state],
    ['last error', backlog['last-error']],
    ['bytes per second', backlog['bytes-per-second']],
    ['dead letters', backlog['dead-letters']],
  ] as const;
}

function progressOf(backlog: BacklogBody): string {
  const error = backlog['last-error'];
  const why = error === null ? '' : `, last error: ${error}`;
  return `${backlog.records} hints (${backlog.bytes} bytes) wait for ${nameOf(backlog)}, ${backlog.state}${why}`;
}

function nameOf({ node, owner }: BacklogBody): string {
  return node === null ? `the removed node ${owner}` : `node ${node}`;
}
