// Statements of the gateway's clients that change the cluster: metadata through the local reconciler, deletes by number; then
// every live node is asked to have it before the client is answered. Peers take the result, never the statement.
import { z } from 'zod';
import { AppError, isAbort } from '../../../shared/errors/app-error.js';
import type { Logger } from '../../../shared/log/logger.js';
import { resolveNow } from '../../../shared/influx/influxql/resolve-now.js';
import { readSchema } from '../../../shared/meta/snapshot.js';
import type { InfluxControl, StatementResult } from '../../influxd/port.js';
import type { StatementReconciler } from '../../membership/gated-reconciler.js';
import type { TickReport } from '../../sync/port.js';
import type { RemoteView } from '../../sync/remote-view.js';
import type { PlacementApi } from '../../manager-api/placement-api.js';
import type { ClusterNode } from '../placement/port.js';
import type { ClusterMetadata } from './cluster-metadata.js';
import type { Deletes } from './deletes.js';
import type { LivePeers } from './live-peers.js';
import { hashOf } from './metadata-of.js';
import type { KnownPassword, SealedPassword } from './passwords.js';
import type { StatementOutcome, StatementRunner } from './port.js';

export interface ClusterStatementsDeps {
  readonly control: Pick<InfluxControl, 'execute' | 'readMemory'>;
  readonly reconciler: Pick<StatementReconciler, 'around'>;
  readonly remoteView: Pick<RemoteView, 'refresh' | 'tag'>;
  readonly metadata: Pick<ClusterMetadata, 'apply'>;
  readonly peers: LivePeers;
  readonly deletes: Deletes;
  readonly placementApi: Pick<PlacementApi, 'addDelete'>;
  readonly seal: (password: KnownPassword) => SealedPassword;
  /** Without a secret or mutual TLS a password leaves this machine for nobody. */
  readonly maySend: (peer: ClusterNode) => boolean;
  readonly appliedVersion: () => number;
  readonly onReport: (report: TickReport) => void;
  readonly logger: Logger;
}

export const REACH_PATH = '/peer/v1/reach';
export const PASSWORDS_PATH = '/peer/v1/passwords';
export const DELETES_PATH = '/peer/v1/deletes';

export const reachBodySchema = z.object({ version: z.number().int().min(0) });
export const deletesBodySchema = z.object({ number: z.number().int().min(0) });

/** The answer waits no longer than this for the other nodes. */
const PROPAGATION_MS = 5_000;
/** A statement should not be made beside what another node just wrote; a manager that is away must not hold it up. */
const REFRESH_MS = 1_000;
const PASSWORD_MS = 1_000;

const MS_NS = 1_000_000n;

type Options = Parameters<StatementRunner['run']>[1];

export class ClusterStatements implements StatementRunner {
  constructor(private readonly deps: ClusterStatementsDeps) {}

  async run(statement: string, options: Options, signal: AbortSignal): Promise<StatementOutcome> {
    const { reconciler, peers, onReport } = this.deps;
    // Beside what comes first here: who is connected does not depend on it.
    const connected = peers.connected(signal);
    connected.catch(() => undefined); // it rejects at the signal alone, which ends what follows too
    await this.catchUp(signal);
    const { result, report } = await reconciler.around(async (limit) => {
      const done = await this.deps.control.execute(statement, limit);
      if (done.kind === 'done') await this.tellPassword(options, await connected, limit);
      return { done, hasChanged: done.kind === 'done' };
    }, signal);
    if (report !== undefined) onReport(report);
    const live = await connected;
    if (result.done.kind === 'refused') return refused(result.done, live);
    return { propagated: await this.propagate(report, live, signal) };
  }

  async delete(
    database: string,
    statement: string,
    signal: AbortSignal,
  ): Promise<StatementOutcome> {
    const { placementApi, deletes, peers } = this.deps;
    // So that it means the same on every node, whenever it is run there.
    const resolved = resolveNow(statement, BigInt(Date.now()) * MS_NS);
    if (resolved === undefined) throw notADelete(statement);
    const connected = peers.connected(signal);
    connected.catch(() => undefined); // as above
    // What this node runs has to begin before the number that is given now.
    await deletes.noteLine();
    const number = await placementApi.addDelete(database, resolved, signal);
    const error = await deletes.runUpTo(number, signal);
    const live = await connected;
    const reached = await this.ask(live, DELETES_PATH, { number }, signal);
    const propagated = { reached: 1 + reached, live: 1 + live.length };
    return error === undefined ? { propagated } : { error, propagated };
  }

  /** Before a statement is run here, what other nodes have done is: a database that is there already is not made twice. */
  private async catchUp(signal: AbortSignal): Promise<void> {
    const { remoteView, metadata, appliedVersion } = this.deps;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(REFRESH_MS)]);
    try {
      await remoteView.refresh(limit);
      const newest = remoteView.tag?.version ?? 0;
      if (newest > appliedVersion()) await metadata.apply(newest, limit);
    } catch (error) {
      if (signal.aborted) throw error;
      // No manager, or something that can't be applied here: the statement is made, and sync merges it later.
      if (!isAbort(error) && !(error instanceof AppError)) throw error;
    }
  }

  private async tellPassword(
    { password }: Options,
    live: readonly ClusterNode[],
    signal: AbortSignal,
  ): Promise<void> {
    const { seal, control, peers, maySend } = this.deps;
    const trusted = live.filter(maySend);
    if (password === undefined || trusted.length === 0) return;
    const hash = hashOf(readSchema(await control.readMemory(signal)), password.user);
    if (hash === undefined) return;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PASSWORD_MS)]);
    await peers.reach(trusted, PASSWORDS_PATH, seal({ ...password, hash }), limit);
  }

  private async propagate(
    report: TickReport | undefined,
    live: readonly ClusterNode[],
    signal: AbortSignal,
  ): Promise<StatementOutcome['propagated']> {
    const everybody = 1 + live.length;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PROPAGATION_MS)]);
    const version = await this.committed(report, limit);
    signal.throwIfAborted();
    if (version === undefined) return { reached: 1, live: everybody };
    return { reached: 1 + (await this.ask(live, REACH_PATH, { version }, limit)), live: everybody };
  }

  /** The version that has the change; undefined where it could not be committed in time, and sync will later. */
  private async committed(
    report: TickReport | undefined,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    if (report === undefined || report.outcome === 'waiting') return undefined;
    if (report.outcome !== 'changed' && report.outcome !== 'no-action') return undefined;
    try {
      // A lost swap, or a second step that the change needed: until this node is in line with the newest version.
      return await this.deps.metadata.apply(report.version, signal);
    } catch (error) {
      if (isAbort(error) || error instanceof AppError) return undefined;
      throw error;
    }
  }

  private ask(
    live: readonly ClusterNode[],
    path: string,
    body: object,
    signal: AbortSignal,
  ): Promise<number> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PROPAGATION_MS)]);
    return this.deps.peers.reach(live, path, body, limit);
  }
}

function notADelete(statement: string): AppError {
  const message = `numbering ${JSON.stringify(statement.slice(0, 200))} failed: it is no single DELETE, DROP SERIES or DROP MEASUREMENT; send it alone`;
  return new AppError('statement-unparsable', message, { status: 400 });
}

function refused(
  { text }: Extract<StatementResult, { kind: 'refused' }>,
  live: readonly ClusterNode[],
): StatementOutcome {
  return { error: text, propagated: { reached: 0, live: 1 + live.length } };
}
