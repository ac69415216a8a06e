// Fakes of what the query path is given: owners that answer as a test says, a placement and a list of nodes made of few words.
import { Readable } from 'node:stream';
import { Registry } from 'prom-client';
import type { GatewayAuth, GatewayCaller } from '../../../agent/gateway/auth/port.js';
import type { Metadata } from '../../../agent/gateway/metadata/port.js';
import type { Reader, ReadOutcome, ReadQuery } from '../../../agent/gateway/owner/port.js';
import type { ClusterNode, NodeDirectory } from '../../../agent/gateway/placement/port.js';
import type { QueryDeps } from '../../../agent/gateway/query/port.js';
import { AppError } from '../../../shared/errors/app-error.js';
import { silentLogger } from '../../../shared/log/logger.js';
import { NO_PLACEMENT, type Owner, type PlacedGroup } from '../../../shared/placement/model.js';

/** One group of `db.autogen`; `owners`: for each shard its nodes, those with a minus are incomplete. */
export function group(id: number, owners: readonly (readonly number[])[]): PlacedGroup {
  const ownerOf = (node: number): Owner =>
    node > 0 ? { node } : { node: -node, incomplete: { since: '2026-01-01T00:00:00Z', why: 'w' } };
  return {
    id,
    database: 'db',
    policy: 'autogen',
    databaseMark: 1,
    policyMark: 1,
    startNs: BigInt(id) * 100n,
    endNs: BigInt(id + 1) * 100n,
    shards: owners.map((nodes, index) => ({ id: id * 10 + index, owners: nodes.map(ownerOf) })),
  };
}

export const METADATA: Metadata = {
  version: 4,
  databases: new Map([
    [
      'db',
      {
        name: 'db',
        defaultPolicy: 'autogen',
        mark: 1,
        policies: new Map(
          ['autogen', 'other'].map((name) => [
            name,
            { name, durationNs: 0n, shardDurationNs: 100n, replication: 1, mark: 1 },
          ]),
        ),
      },
    ],
  ]),
  users: new Map(),
};

export function placementWith(groups: readonly PlacedGroup[]): QueryDeps['placement'] {
  const notHere = () => Promise.reject(new Error('not part of this test'));
  return {
    current: { ...NO_PLACEMENT, version: 9, deletes: 3, groups },
    writable: () => undefined,
    covering: (database, policy, fromNs, toNs) =>
      groups.filter(
        (one) =>
          one.database === database &&
          one.policy === policy &&
          one.startNs < toNs &&
          one.endNs > fromNs,
      ),
    ofDatabase: (database) => groups.filter((one) => one.database === database),
    ensure: notHere,
    reach: () => Promise.resolve(true),
    markIncomplete: notHere,
    onChange: () => () => undefined,
  };
}

/** `self`: this node's id; those with a minus are not alive. */
export function directoryWith(self: number | undefined, ids: readonly number[]): NodeDirectory {
  const nodes = ids.map((id): ClusterNode => {
    const name = Math.abs(id).toString();
    const address = { host: name, port: 1 };
    return { id: Math.abs(id), uid: name, address, hostname: name, isAlive: id > 0, behind: [] };
  });
  return {
    self: { id: self, uid: 'self' },
    node: (id) => nodes.find((node) => node.id === id),
    byUid: (uid) => nodes.find((node) => node.uid === uid),
    all: () => nodes,
    refresh: () => Promise.resolve(true),
    onChange: () => () => undefined,
  };
}

/** What a node does with a read; a text is the whole body of a 200. */
export type Script = (
  query: ReadQuery,
  signal: AbortSignal,
) => ReadOutcome | string | Promise<ReadOutcome>;

/** Neither answers nor refuses. */
export const SILENT: Script = (_query, signal) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new AppError('aborted', 'the call was ended by its signal'));
    });
  });

/** Nodes without a script are unreachable. */
export class FakeReader implements Reader {
  readonly asked: { readonly node: number; readonly query: ReadQuery }[] = [];

  constructor(readonly scripts: Map<number, Script>) {}

  async read(node: number, query: ReadQuery, signal: AbortSignal): Promise<ReadOutcome> {
    this.asked.push({ node, query });
    const script = this.scripts.get(node);
    const outcome = await (script?.(query, signal) ??
      ({ kind: 'failed', why: 'refused' } as const));
    return typeof outcome === 'string' ? opened(Readable.from([Buffer.from(outcome)])) : outcome;
  }
}

export function opened(body: Readable): Extract<ReadOutcome, { kind: 'opened' }> {
  return { kind: 'opened', status: 200, contentType: 'application/json', error: undefined, body };
}

/** Bytes, and then an end that is none. */
export function breakingOff(...texts: string[]): Readable {
  return Readable.from(
    (async function* () {
      for (const text of texts) yield Buffer.from(text);
      // What was sent so far is on its way before the connection ends.
      await new Promise(setImmediate);
      throw new Error('socket hang up');
    })(),
  );
}

export function authOf(caller: Partial<GatewayCaller>): GatewayAuth {
  const whole = {
    user: 'u',
    isAdmin: false,
    mayRead: () => caller.isAdmin === true,
    mayWrite: () => caller.isAdmin === true,
    ...caller,
  };
  return {
    isOn: true,
    authenticate: () => Promise.resolve({ kind: 'accepted', caller: whole }),
  };
}

/** Everything that a handler needs; what a test is about it changes. */
export function queryDeps(changes: Partial<QueryDeps>): QueryDeps {
  const notHere = () => Promise.reject(new AppError('internal', 'not part of this test'));
  return {
    auth: authOf({ user: undefined, isAdmin: true }),
    reader: new FakeReader(new Map()),
    placement: placementWith([group(1, [[1, 2, 3]])]),
    directory: directoryWith(1, [1, 2, 3]),
    metadata: { current: METADATA, reach: () => Promise.resolve(true) },
    runner: { run: notHere, delete: notHere },
    points: { write: notHere },
    logger: silentLogger(),
    registry: new Registry(),
    ...changes,
  };
}
