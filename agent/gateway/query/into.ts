// SELECT ... INTO: the rows are read from one complete owner as they stream, and written through the cluster's own write path,
// so that every owner of the target gets them. It creates no database, and holds one batch of points at a time.
import { encodePoint } from '../../../shared/influx/encode-point.js';
import type { Source, Statement } from '../../../shared/influx/influxql/statement.js';
import { AppError, isAbort, isAppError, messageOf } from '../../../shared/errors/app-error.js';
import type { Metadata } from '../metadata/port.js';
import type { ReadQuery } from '../owner/port.js';
import { pointsOf } from './into-rows.js';
import { selectorArguments, withoutEmptyWindows } from './into-select.js';
import type { OpenedRead } from './open-read.js';
import type { PointWriter, QueryRequest, Refusal } from './port.js';
import { TimeCell, type StatementResult } from './results.js';
import { policyOf } from './route.js';
import { readSmall } from './small-read.js';

export type IntoStatement = Extract<Statement, { kind: 'into' }>;

/** How the statement's reads are run: on owners that cover it. */
export type OpenRead = (
  query: Pick<ReadQuery, 'statement' | 'epoch' | 'chunked' | 'accept'>,
) => Promise<OpenedRead | Refusal>;

/** influxd writes as many at once; beyond the bytes a batch of long strings would be held whole. */
const BATCH_POINTS = 10_000;
const BATCH_BYTES = 4 * 1024 * 1024;

export interface IntoJob {
  readonly statement: IntoStatement;
  readonly request: Pick<QueryRequest, 'database' | 'policy'>;
  readonly metadata: Metadata;
  readonly open: OpenRead;
  readonly points: PointWriter;
  readonly signal: AbortSignal;
}

export interface IntoOutcome {
  readonly kind: 'result';
  readonly result: StatementResult;
  readonly node: number | undefined;
  readonly missing: string;
}

/** What it came to; `node`: that was read from. Throws AppError where points can't be written, or the owner's answer breaks off. */
export async function runInto(job: IntoJob): Promise<IntoOutcome | Refusal> {
  const { statement, request, metadata } = job;
  const database = statement.target.database || request.database;
  if (database === '') return failed('database name required');
  const info = metadata.databases.get(database);
  if (info === undefined) return failed(`database not found: ${database}`);
  const policy = policyOf(statement.target, request, metadata);
  if (policy === '') return failed(`default retention policy not set for: ${database}`);
  const tagColumns = await tagColumnsOf(job);
  const read = await job.open({
    statement: statement.isGroupedByTime ? withoutEmptyWindows(statement.select) : statement.select,
    epoch: 'ns',
    chunked: true,
    accept: 'application/x-msgpack',
  });
  if (read.kind === 'refused') return read;
  const { measurement } = statement.target;
  const writer = new Batches(job, database, policy);
  try {
    for await (const chunk of pointsOf(read.body, { measurement, tagColumns })) {
      if (chunk.kind === 'failed') return failed(chunk.error, read);
      for (const point of chunk.points) {
        const line = encodePoint(point);
        // What can't be stored is left out without a word, as influxd does.
        if (line !== undefined) await writer.add(line);
      }
    }
    await writer.flush();
  } catch (error) {
    // What influxd itself would have refused is the statement's own error; what may pass is ours.
    if (isAppError(error) && !isAbort(error) && error.status !== 503) {
      return failed(error.message, read);
    }
    throw wrapped(error, read.node);
  }
  const values = [[new TimeCell(0n), BigInt(writer.written)]];
  const series = [{ name: 'result', columns: ['time', 'written'], values }];
  return { kind: 'result', result: { series }, node: read.node, missing: read.missing };
}

function failed(error: string, read?: OpenedRead): IntoOutcome {
  return { kind: 'result', result: { error }, node: read?.node, missing: read?.missing ?? '' };
}

/** An error that is one of ours says enough; the rest is an answer that broke off. */
function wrapped(error: unknown, node: number): unknown {
  if (error instanceof AppError || isAbort(error)) return error;
  return new AppError(
    'influxd-unreachable',
    `reading from node ${node.toString()} for a SELECT INTO: ${messageOf(error)}; some of its points may be written already, and running it again is safe`,
    { status: 503, retryable: true, cause: error },
  );
}

class Batches {
  written = 0;
  private lines: Buffer[] = [];
  private bytes = 0;

  constructor(
    private readonly job: Pick<IntoJob, 'points' | 'signal'>,
    private readonly database: string,
    private readonly policy: string,
  ) {}

  async add(line: Buffer): Promise<void> {
    this.lines.push(line);
    this.bytes += line.length;
    if (this.lines.length >= BATCH_POINTS || this.bytes >= BATCH_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.lines.length === 0) return;
    const { points, signal } = this.job;
    const count = this.lines.length;
    const newline = Buffer.from('\n');
    const body = Buffer.concat(this.lines.flatMap((line) => [line, newline]));
    this.lines = [];
    this.bytes = 0;
    await points.write(this.database, this.policy, body, signal);
    this.written += count;
  }
}

/** Of top() and bottom() influxd writes those arguments that are tags as tags; a plain SELECT shows them as columns. */
async function tagColumnsOf({ statement, request, open }: IntoJob): Promise<ReadonlySet<string>> {
  const names = selectorArguments(statement.select);
  if (names.length === 0) return new Set();
  const read = await open({
    statement: tagKeysStatement(statement.sources, request.database),
    epoch: undefined,
    chunked: false,
    accept: undefined,
  });
  if (read.kind === 'refused') return new Set();
  const { rows } = await readSmall(read);
  const tags = new Set(rows.map(([key]) => String(key)));
  return new Set(names.filter((name) => tags.has(name)));
}

function tagKeysStatement(sources: readonly Source[], database: string): string {
  const [first] = sources;
  const on = `SHOW TAG KEYS ON ${quoted(first?.database || database)}`;
  const names = sources.flatMap(({ measurement }) =>
    measurement === undefined ? [] : [measurement],
  );
  // A pattern may match anything: the keys of all measurements.
  return names.length === sources.length && names.length > 0
    ? `${on} FROM ${names.map(quoted).join(', ')}`
    : on;
}

function quoted(name: string): string {
  const escaped = name.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `"${escaped}"`;
}
