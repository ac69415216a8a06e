// A gateway's query path over one real influxd, without managers and peers: what the ports promise, done on that server.
import { createServer, type Server } from 'node:http';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import type { GatewayAuth } from '../../../agent/gateway/auth/port.js';
import { errorOfAny, sendError } from '../../../agent/gateway/errors.js';
import type {
  DatabaseInfo,
  Metadata,
  MetadataView,
  PolicyInfo,
  StatementRunner,
} from '../../../agent/gateway/metadata/port.js';
import type { ReadQuery, Reader, ReadOutcome } from '../../../agent/gateway/owner/port.js';
import type { NodeDirectory, PlacementView } from '../../../agent/gateway/placement/port.js';
import type { PointWriter, QueryDeps } from '../../../agent/gateway/query/port.js';
import { QueryHandler } from '../../../agent/gateway/query/query-handler.js';
import { AppError } from '../../../shared/errors/app-error.js';
import { NO_PLACEMENT, type PlacedGroup } from '../../../shared/placement/model.js';
import type { TestInfluxd } from '../influxd.js';
import { silentLogger } from '../../../shared/log/logger.js';

/** This node, in every port. */
export const SELF = 1;

export const OPEN_AUTH: GatewayAuth = {
  isOn: false,
  authenticate: () =>
    Promise.resolve({
      kind: 'accepted',
      caller: { user: undefined, isAdmin: true, mayRead: () => true, mayWrite: () => true },
    }),
};

/** The parameters under which influxd takes a read. */
export function parametersOf(query: ReadQuery): URLSearchParams {
  const parameters = new URLSearchParams({ q: query.statement });
  const optional = {
    db: query.database,
    rp: query.policy,
    epoch: query.epoch,
    params: query.params,
    chunk_size: query.chunkSize?.toString(),
    chunked: query.chunked ? 'true' : undefined,
  };
  for (const [name, value] of Object.entries(optional)) {
    if (value !== undefined) parameters.set(name, value);
  }
  return parameters;
}

/** Reads from that server, whichever node is asked for. */
export function readerOf(url: string): Reader {
  return {
    read: (_node, query, signal) =>
      new Promise<ReadOutcome>((resolve) => {
        const headers = {
          'content-type': 'application/x-www-form-urlencoded',
          ...(query.accept === undefined ? {} : { accept: query.accept }),
        };
        const path = `${url}/query${query.pretty ? '?pretty=true' : ''}`;
        const call = httpRequest(path, { method: 'POST', headers, signal }, (answer) => {
          const { 'content-type': contentType = '', 'x-influxdb-error': error } = answer.headers;
          resolve({
            kind: 'opened',
            status: answer.statusCode ?? 0,
            contentType,
            error: typeof error === 'string' ? Buffer.from(error, 'latin1').toString() : undefined,
            body: answer,
          });
        });
        call.on('error', (error) => {
          resolve({ kind: 'failed', why: error.message });
        });
        call.end(parametersOf(query).toString());
      }),
  };
}

export function pointsOf(url: string): PointWriter {
  return {
    async write(database, policy, body, signal) {
      const parameters = new URLSearchParams({ db: database, rp: policy });
      const path = `${url}/write?${parameters.toString()}`;
      const answer = await fetch(path, { method: 'POST', body: new Uint8Array(body), signal });
      const text = await answer.text();
      if (answer.status === 204) return;
      const { error } = JSON.parse(text) as { error: string };
      throw new AppError('body-invalid', error, { status: answer.status });
    },
  };
}

/** The server's databases and policies, as they were when it was last looked. */
export class ServerMetadata implements MetadataView, StatementRunner {
  current: Metadata = { version: 1, databases: new Map(), users: new Map() };

  constructor(private readonly influxd: TestInfluxd) {}

  reach(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async look(): Promise<void> {
    const databases = new Map<string, DatabaseInfo>();
    for (const name of await this.influxd.names('SHOW DATABASES')) {
      if (name !== '_internal') databases.set(name, await this.database(name));
    }
    this.current = { version: this.current.version + 1, databases, users: new Map() };
  }

  private async database(name: string): Promise<DatabaseInfo> {
    const [result] = await this.influxd.query(`SHOW RETENTION POLICIES ON ${JSON.stringify(name)}`);
    const rows = result?.series?.[0]?.values ?? [];
    const policies = new Map<string, PolicyInfo>();
    let defaultPolicy = '';
    for (const [policy, , , replication, isDefault] of rows) {
      const values = { durationNs: 0n, shardDurationNs: 1n, mark: 1 };
      const key = String(policy);
      policies.set(key, { name: key, replication: Number(replication), ...values });
      if (isDefault === true) defaultPolicy = key;
    }
    return { name, defaultPolicy, mark: 1, policies };
  }

  run: StatementRunner['run'] = (statement, { database }) => this.execute(statement, database);
  delete: StatementRunner['delete'] = (database, statement) => this.execute(statement, database);

  private async execute(statement: string, database: string | undefined) {
    const propagated = { reached: 1, live: 1 };
    try {
      await this.influxd.query(statement, database === undefined ? {} : { db: database });
      return { propagated };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error), propagated };
    } finally {
      await this.look();
    }
  }
}

/** One group for all times of each database that there is. */
export function placementOf(metadata: MetadataView): PlacementView {
  const groupsOf = (database: string): PlacedGroup[] => {
    if (!metadata.current.databases.has(database)) return [];
    return [
      {
        id: 7,
        database,
        policy: metadata.current.databases.get(database)?.defaultPolicy ?? '',
        databaseMark: 1,
        policyMark: 1,
        startNs: 0n,
        endNs: 1n,
        shards: [{ id: 8, owners: [{ node: SELF }] }],
      },
    ];
  };
  const notHere = () => Promise.reject(new Error('not part of this test'));
  return {
    current: NO_PLACEMENT,
    writable: () => undefined,
    covering: groupsOf,
    ofDatabase: groupsOf,
    ensure: notHere,
    reach: () => Promise.resolve(true),
    markIncomplete: notHere,
    onChange: () => () => undefined,
  };
}

export function directoryOf(): NodeDirectory {
  const address = { host: '127.0.0.1', port: 1 };
  const node = { id: SELF, uid: 'a', address, hostname: 'a', isAlive: true, behind: [] };
  return {
    self: { id: SELF, uid: 'a' },
    node: (id) => (id === SELF ? node : undefined),
    byUid: () => node,
    all: () => [node],
    refresh: () => Promise.resolve(true),
    onChange: () => () => undefined,
  };
}

export interface OneNode {
  readonly url: string;
  readonly metadata: ServerMetadata;
  readonly registry: Registry;
  close(): Promise<void>;
}

/** Serves /query on a free port of this machine. */
export async function startOneNode(
  influxd: TestInfluxd,
  changes: Partial<QueryDeps> = {},
): Promise<OneNode> {
  const metadata = new ServerMetadata(influxd);
  await metadata.look();
  const registry = new Registry();
  const handler = new QueryHandler({
    auth: OPEN_AUTH,
    reader: readerOf(influxd.url),
    placement: placementOf(metadata),
    directory: directoryOf(),
    metadata,
    runner: metadata,
    points: pointsOf(influxd.url),
    logger: silentLogger(),
    registry,
    ...changes,
  });
  return { ...(await serve(handler)), metadata, registry };
}

/** The least that a server does for a handler: signals, and errors that are thrown. */
export async function serve(
  handler: QueryHandler,
): Promise<{ url: string; close(): Promise<void> }> {
  const stopped = new AbortController();
  const server: Server = createServer((request, response) => {
    const gone = new AbortController();
    response.once('close', () => {
      gone.abort();
    });
    const query = new URL(request.url ?? '/', 'http://gateway').searchParams;
    const context = { query, requestId: 'id', signal: gone.signal, stopped: stopped.signal };
    handler.handle(request, response, context).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendError(request, response, errorOfAny(error));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port.toString()}`,
    async close() {
      stopped.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
