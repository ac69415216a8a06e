// Runs one statement by what it is: reads go to a complete owner, changes to the cluster, and what the cluster knows is said from
// here. It is told who asks, and that the caller may; it writes nothing to the client.
import { isAbort, isAppError } from '../../../shared/errors/app-error.js';
import type { Statement } from '../../../shared/influx/influxql/statement.js';
import { withParams } from '../../../shared/influx/influxql/write-params.js';
import type { Placement } from '../../../shared/placement/model.js';
import { printedStatement } from '../auth/statement-text.js';
import type { StatementOutcome } from '../metadata/port.js';
import { runInto } from './into.js';
import { INTERNAL, showDatabases, showShardGroups, showShards } from './metadata-answers.js';
import { ReadOpener, type OpenedRead } from './open-read.js';
import type { QueryDeps, Refusal } from './port.js';
import { readOnlyWarning, type StatementResult } from './results.js';
import { dropShard, refusalOf, unwritableParameter } from './refusals.js';
import { anyNode, routeOf, type ReadStatement, type Route } from './route.js';
import { readSmall } from './small-read.js';
import { asPost, readOf, type Outcome, type ReadOptions, type Work } from './work.js';

export class StatementExecutor {
  private readonly opener: ReadOpener;

  constructor(private readonly deps: QueryDeps) {
    this.opener = new ReadOpener(deps);
  }

  /** Rejects with AppError `aborted`, or where something is wrong that no one foresaw. */
  async run(statement: Statement, work: Work): Promise<Outcome> {
    try {
      return await this.dispatch(statement, work);
    } catch (error) {
      if (isAbort(error) || !isAppError(error)) throw error;
      return refusalOf(error);
    }
  }

  /** Runs a text on the local influxd as it is: one that is known to be refused there, or to do nothing. */
  readLocally(text: string, work: Work, accept = work.request.accept): Promise<Outcome> {
    const query = { ...readOf(work.request), statement: text, accept };
    return this.open(() => anyNode(this.deps.directory, true), query, work);
  }

  private dispatch(statement: Statement, work: Work): Promise<Outcome> | Outcome {
    switch (statement.kind) {
      case 'select':
      case 'explain':
      case 'show-data':
        return this.read(statement, work);
      case 'into':
        return this.into(statement, work);
      case 'show-metadata':
        return this.showMetadata(statement, work);
      case 'show-server':
      case 'kill':
        return this.readLocally(statement.text, work);
      case 'metadata':
      case 'user':
        return this.change(statement, work);
      case 'delete':
        return this.delete(statement, work);
      case 'drop-shard':
        return dropShard();
    }
  }

  private read(statement: ReadStatement, work: Work): Promise<Outcome> {
    const query = { ...readOf(work.request), statement: statement.text };
    return this.open(() => this.route(statement, work), query, work);
  }

  /** By the newest placement and metadata, not by those of the request's beginning. */
  private route(statement: ReadStatement, { request }: Work): Route {
    const { placement, directory } = this.deps;
    const metadata = this.deps.metadata.current;
    return routeOf(statement, request, { placement, directory, metadata });
  }

  private open(
    route: () => Route,
    query: ReadOptions,
    { request, signal }: Work,
  ): Promise<OpenedRead | Refusal> {
    const plan = () => {
      const { version, deletes } = this.deps.placement.current;
      const metadataVersion = this.deps.metadata.current.version;
      const versions = { placementVersion: version, metadataVersion, deletes };
      return { route: route(), query: { ...query, ...versions } };
    };
    return this.opener.open(plan, request.allowsPartial, signal);
  }

  private async into(
    statement: Extract<Statement, { kind: 'into' }>,
    work: Work,
  ): Promise<Outcome> {
    const { request, metadata, signal } = work;
    const { points } = this.deps;
    const outcome = await runInto({
      statement,
      request,
      metadata,
      points,
      signal,
      open: (changes) =>
        this.open(
          () => this.route(statement, work),
          { ...readOf(request), ...changes, pretty: false, chunkSize: undefined },
          work,
        ),
    });
    if (outcome.kind === 'refused') return outcome;
    const { result } = outcome;
    return { ...outcome, result: this.warned(result, statement.text, work) };
  }

  private showMetadata(
    { what, text }: Extract<Statement, { kind: 'show-metadata' }>,
    work: Work,
  ): Promise<Outcome> | Outcome {
    switch (what) {
      case 'databases':
        return this.showDatabases(work);
      case 'shards':
        return this.own(showShards(this.placement, work.metadata));
      case 'shard-groups':
        return this.own(showShardGroups(this.placement, work.metadata));
      default: {
        // Every node has the cluster's metadata, and reaches the version that is known here before it answers.
        const query = { ...readOf(work.request), statement: text };
        return this.open(() => anyNode(this.deps.directory, false), query, work);
      }
    }
  }

  private async showDatabases(work: Work): Promise<Outcome> {
    const own = await this.ownDatabases(work);
    return this.own(showDatabases(work.metadata, own, work.caller));
  }

  /** `_internal`, where the local influxd has it. It may be away: then it has nothing of its own to show. */
  private async ownDatabases(work: Work): Promise<string[]> {
    const query = { ...readOf(work.request), statement: 'SHOW DATABASES', accept: undefined };
    const plain = { ...query, chunked: false, pretty: false, params: undefined };
    const read = await this.open(() => anyNode(this.deps.directory, true), plain, work);
    if (read.kind === 'refused') return [];
    const { rows } = await readSmall(read);
    const has = rows.some(([name]) => name === INTERNAL);
    return has && !work.metadata.databases.has(INTERNAL) ? [INTERNAL] : [];
  }

  private async change(
    statement: Extract<Statement, { kind: 'metadata' | 'user' }>,
    work: Work,
  ): Promise<Outcome> {
    const { request, params, signal } = work;
    // It is run, and brought to others, as text alone.
    const text = withParams(statement.text, params);
    if (text === undefined) return unwritableParameter();
    const password =
      statement.kind === 'user' && statement.password !== undefined
        ? { user: statement.user, text: statement.password }
        : undefined;
    const database = request.database || undefined;
    const outcome = await this.deps.runner.run(text, { database, password }, signal);
    return this.changed(outcome, text, work);
  }

  private async delete(
    statement: Extract<Statement, { kind: 'delete' }>,
    work: Work,
  ): Promise<Outcome> {
    const { request, metadata, params, signal } = work;
    const database = statement.database || request.database;
    const text = withParams(statement.text, params);
    if (text === undefined) return unwritableParameter();
    if (database === '') return this.own({ error: 'database name required' });
    // Each server's own database is nobody else's: what is deleted from it is not numbered.
    if (database === INTERNAL && !metadata.databases.has(INTERNAL)) {
      return this.readLocally(text, work);
    }
    if (!metadata.databases.has(database)) {
      return this.own({ error: `database not found: ${database}` });
    }
    const outcome = await this.deps.runner.delete(database, text, signal);
    // influxd warns where the other two come by GET, but not here.
    const isWarned = statement.what !== 'delete';
    return this.changed(outcome, text, isWarned ? work : asPost(work));
  }

  private changed(outcome: StatementOutcome, text: string, work: Work): Outcome {
    const { error, propagated } = outcome;
    const result = this.warned(error === undefined ? {} : { error }, text, work);
    return { kind: 'result', result, node: this.self, missing: '', propagated };
  }

  private warned(
    result: StatementResult,
    text: string,
    { request, params }: Work,
  ): StatementResult {
    if (!request.isReadOnly || result.error !== undefined) return result;
    const statement = printedStatement(withParams(text, params) ?? text);
    return { ...result, messages: [readOnlyWarning(statement)] };
  }

  private own(result: StatementResult): Outcome {
    return { kind: 'result', result, node: this.self, missing: '' };
  }

  private get self(): number | undefined {
    return this.deps.directory.self.id;
  }

  private get placement(): Placement {
    return this.deps.placement.current;
  }
}
