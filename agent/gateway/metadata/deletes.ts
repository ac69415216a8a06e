// The cluster's numbered deletes on this node: run in the order of their numbers, each once before any write that knows of
// it. What has been run is on disk before such a write is let in, so that a crash repeats a delete only before newer points.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AppError } from '../../../shared/errors/app-error.js';
import { reached } from '../../../shared/failpoint/failpoint.js';
import { writeFileAtomically } from '../../../shared/lifecycle/atomic-file.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { NumberedDelete, PlacementApi } from '../../manager-api/placement-api.js';
import type { Metadata } from './port.js';

/** A statement of the database that it is for. As InfluxControl's, with a database. */
export type RunOnDatabase = (
  database: string,
  statement: string,
  signal: AbortSignal,
) => Promise<{ readonly kind: 'done' } | { readonly kind: 'refused'; readonly text: string }>;

export interface DeletesDeps {
  /** `<state-dir>/deletes.json`. */
  readonly path: string;
  readonly api: Pick<PlacementApi, 'deletesAfter'>;
  readonly run: RunOnDatabase;
  readonly metadata: () => Metadata;
  /** The newest number in the placement, and the cluster's incarnation: where it is another, numbers begin anew. */
  readonly newest: () => { readonly number: number; readonly incarnation: string };
  readonly logger: Logger;
}

const stateSchema = z.object({
  format: z.literal(1),
  incarnation: z.string(),
  applied: z.number().int(),
  refused: z.array(z.number().int()),
});

/** A delete of much data may take long; a write that waits for it is told to come again before that. */
const RUN_MS = 60_000;
/** Numbered statements stay in memory, because hints of days ago ask which of them came after. */
const KEPT = 10_000;

export class Deletes {
  private incarnation = '';
  private done = 0;
  /** What influxd refused deleted nothing, so that it takes nothing from hints either. */
  private refused = new Set<number>();
  private readonly known = new Map<number, NumberedDelete>();
  private queue: Promise<unknown> = Promise.resolve();
  private writers = 0;
  private isRunning = false;
  private onIdle: (() => void)[] = [];

  constructor(private readonly deps: DeletesDeps) {}

  /** All up to this number have been run here. */
  get applied(): number {
    return this.done;
  }

  /** Reads what was run before; nothing on a new node. */
  async load(): Promise<void> {
    try {
      const state = stateSchema.parse(JSON.parse(await readFile(this.deps.path, 'utf8')));
      this.incarnation = state.incarnation;
      this.done = state.applied;
      this.refused = new Set(state.refused);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      const why = 'the record of deletes that were run here is not readable';
      throw new AppError('state-not-current', `${why}; run \`clusterflux agent rejoin\``, {
        cause: error,
      });
    }
  }

  /**
   * Told of each placement before anything is written by it: a new node, or one whose cluster's store began anew, has no
   * points that an earlier delete could mean, so it begins with the newest number.
   */
  noteLine(line = this.deps.newest()): Promise<void> {
    const next = this.queue
      .catch(() => undefined)
      .then(async () => {
        const { number, incarnation } = line;
        if (incarnation === '' || incarnation === this.incarnation) return;
        this.incarnation = incarnation;
        this.known.clear();
        this.refused.clear();
        await this.save(number);
      });
    this.queue = next;
    next.catch(() => undefined); // the caller has its error
    return next;
  }

  /**
   * Lets a write in that knows deletes up to `number`, once those have been run, and keeps later ones away until it has
   * ended. `behind`: a later one was run already, so that the write is to be sent again with what is known now.
   */
  async during<T>(
    number: number,
    work: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<
    | { readonly kind: 'done'; readonly result: T }
    | { readonly kind: 'behind'; readonly applied: number }
  > {
    while (this.isRunning || this.done < number) {
      if (this.done < number) await this.runUpTo(number, signal);
      else await this.queue.catch(() => undefined);
      signal.throwIfAborted();
    }
    if (this.done > number) return { kind: 'behind', applied: this.done };
    this.writers += 1;
    try {
      return { kind: 'done', result: await work() };
    } finally {
      this.writers -= 1;
      if (this.writers === 0) for (const resume of this.onIdle.splice(0)) resume();
    }
  }

  /**
   * Runs all deletes up to this number that were not run yet. Resolves to influxd's error where it refused the last one.
   * Throws `manager-unreachable` where the statements could not be read, `influxd-unreachable`.
   */
  runUpTo(number: number, signal: AbortSignal): Promise<string | undefined> {
    const next = this.queue.catch(() => undefined).then(() => this.runMissing(number, signal));
    this.queue = next;
    next.catch(() => undefined); // the caller has its error; who comes next tries again
    return next;
  }

  /** The deletes with numbers above `after` and up to what was run here, for what was written before them. */
  async since(after: number, signal: AbortSignal): Promise<readonly NumberedDelete[]> {
    for (let number = after + 1; number <= this.done; number += 1) {
      if (this.known.has(number)) continue;
      this.remember(await this.deps.api.deletesAfter(after, signal));
      break;
    }
    return [...this.known.values()]
      .filter(({ number }) => number > after && number <= this.done && !this.refused.has(number))
      .sort((a, b) => a.number - b.number);
  }

  private async runMissing(number: number, signal: AbortSignal): Promise<string | undefined> {
    if (this.done >= number) return undefined;
    const missing = await this.deps.api.deletesAfter(this.done, signal);
    this.remember(missing);
    let error: string | undefined;
    this.isRunning = true;
    try {
      await this.whenNobodyWrites();
      for (const each of missing) error = await this.runOne(each, signal);
      // Those that are kept no longer are older than any point that could come.
      if (this.done < number) await this.save(number);
    } finally {
      this.isRunning = false;
    }
    return error;
  }

  private async runOne(each: NumberedDelete, signal: AbortSignal): Promise<string | undefined> {
    const { number, database, databaseMark, statement } = each;
    const mark = this.deps.metadata().databases.get(database)?.mark;
    let error: string | undefined;
    await reached('agent.delete.begun');
    // A database that was dropped since, or is another one now, has nothing that was meant.
    if (mark === databaseMark) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(RUN_MS)]);
      const result = await this.deps.run(database, statement, limit);
      if (result.kind === 'refused') error = result.text;
    }
    await reached('agent.delete.executed');
    if (error !== undefined) this.noteRefused(number);
    await this.save(number);
    const fields = { op: 'delete', db: database, count: number };
    if (error === undefined) this.deps.logger.info('ran a numbered delete', fields);
    else this.deps.logger.warn('influxd refused a numbered delete', { ...fields, reason: error });
    return error;
  }

  private noteRefused(number: number): void {
    this.refused.add(number);
    const [oldest] = this.refused;
    if (this.refused.size > KEPT && oldest !== undefined) this.refused.delete(oldest);
  }

  private whenNobodyWrites(): Promise<void> {
    if (this.writers === 0) return Promise.resolve();
    return new Promise((resolve) => this.onIdle.push(resolve));
  }

  private async save(applied: number): Promise<void> {
    const refused = [...this.refused];
    const state = { format: 1, incarnation: this.incarnation, applied, refused };
    await writeFileAtomically(this.deps.path, JSON.stringify(state));
    this.done = applied;
  }

  private remember(deletes: readonly NumberedDelete[]): void {
    for (const each of deletes) this.known.set(each.number, each);
    for (const number of this.known.keys()) {
      if (this.known.size <= KEPT) break;
      this.known.delete(number);
    }
  }
}
