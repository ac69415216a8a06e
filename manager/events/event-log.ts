// The kept events of a cluster: numbered by a head record, so that ids rise by one without gaps over all managers, and the
// oldest goes in the transaction that adds one too many.
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { isAppError } from '../../shared/errors/app-error.js';
import { createBackoff, sleep } from '../../shared/lifecycle/backoff.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Mask } from '../../shared/meta/diff.js';
import type { Masks } from '../metadata/masks.js';
import { KeyedQueue } from '../nodes/keyed-queue.js';
import type { ClusterKeys } from '../store/keys.js';
import type { Comparison, Entry, Operation, Store } from '../store/port.js';
import { rangeAll } from '../store/range-all.js';
import { decodeRecord, encodeRecord } from '../store/records.js';
import { safeText, safeValue } from './redact.js';
import {
  eventKeyRecord,
  eventRecord,
  headRecord,
  NO_EVENTS,
  type EventRecord,
  type HeadRecord,
} from './records.js';

/** An event that is not numbered yet. */
export interface NewEvent {
  readonly node: number | null;
  readonly kind: string;
  readonly text: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** The same key again, while its event is kept, adds nothing. */
  readonly key?: string | undefined;
}

export interface EventLogDeps {
  readonly store: Store;
  readonly masks: Masks;
  readonly clock: Clock;
  /** `manager.max-events`: so many are kept per cluster. */
  readonly maxEvents: number;
}

/** Four operations each (event, key, and those of the one that goes) stay below what a transaction takes. */
export const MAX_BATCH = 20;

/** So many of the oldest go with one transaction; more than are added, so that a lowered limit is reached in the end. */
const MAX_EVICTED = 25;

/** How long an append may fight for the next id or look for an unknown outcome. */
const APPEND_DEADLINE_MS = 10_000;

/** Events are at most some 30 KiB each; 4 MiB is the default limit of an answer. */
const EVENTS_PER_READ = 50;

/** One batch with what is made once for its tries. */
interface Job {
  readonly keys: ClusterKeys;
  readonly events: readonly NewEvent[];
  readonly op: string;
  readonly mask: Mask;
  readonly signal: AbortSignal;
  /** The ids of the last try; looked at when its outcome is unknown. */
  tried: readonly number[] | undefined;
}

export class EventLog {
  /** One append per cluster at a time on this manager, so that they do not fight for the next id. */
  private readonly queue = new KeyedQueue();

  constructor(private readonly deps: EventLogDeps) {}

  /**
   * Appends at most MAX_BATCH events and returns their ids; one whose key is known has the id of the earlier one. Throws
   * AppError `store-unavailable`, `outcome-unknown`.
   */
  async append(
    keys: ClusterKeys,
    events: readonly NewEvent[],
    stop: AbortSignal,
  ): Promise<readonly number[]> {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(APPEND_DEADLINE_MS)]);
    // Every key of the batch is looked up at the same time; that is no leak.
    setMaxListeners(0, signal);
    const mask = await this.deps.masks.mask(signal);
    const job: Job = { keys, events, op: randomUUID(), mask, signal, tried: undefined };
    return this.queue.run(keys.base, () => this.untilDefinite(job));
  }

  /** The kept events after `since`, oldest first, `limit` at most: the newest of them where `since` is undefined. */
  async list(
    keys: ClusterKeys,
    { since, limit }: { readonly since: number | undefined; readonly limit: number },
    signal: AbortSignal,
  ): Promise<EventRecord[]> {
    const { store } = this.deps;
    if (since !== undefined) return this.after(keys, since, limit, signal);
    const { entries } = await rangeAll(store, keys.events, { pageSize: EVENTS_PER_READ, signal });
    return entries.slice(-limit).map(decodeEvent);
  }

  /** The first events after `since`, oldest first. */
  async after(
    keys: ClusterKeys,
    since: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<EventRecord[]> {
    const found: EventRecord[] = [];
    let last = since;
    while (found.length < limit) {
      const page = await this.deps.store.range(keys.events, {
        after: keys.eventOf(last),
        limit: Math.min(EVENTS_PER_READ, limit - found.length),
        signal,
      });
      found.push(...page.entries.map(decodeEvent));
      last = found.at(-1)?.id ?? last;
      if (!page.hasMore || page.entries.length === 0) break;
    }
    return found;
  }

  private async untilDefinite(job: Job): Promise<readonly number[]> {
    const backoff = createBackoff({ initialMs: 20 });
    for (;;) {
      try {
        const ids = await this.attempt(job);
        if (ids !== undefined) return ids;
      } catch (error) {
        if (!isAppError(error, 'outcome-unknown') || job.signal.aborted) throw error;
      }
      await sleep(backoff.nextDelayMs(), job.signal);
    }
  }

  /** undefined: somebody else appended meanwhile; try again. */
  private async attempt(job: Job): Promise<readonly number[] | undefined> {
    const { keys, signal } = job;
    const { store } = this.deps;
    if (job.tried !== undefined && (await this.isOurs(job, job.tried))) return job.tried;
    const headEntry = await store.get(keys.eventHead, { signal });
    const head = headEntry === undefined ? NO_EVENTS : decodeRecord(headEntry, headRecord);
    const known = await this.knownKeys(job);
    const plan = this.numbered(job, head, known);
    if (plan.records.length === 0) return plan.ids;
    const { evicted, first } = await this.evicted(keys, { ...head, last: plan.last }, signal);
    job.tried = plan.ids;
    const { kind } = await store.transact(
      [unchanged(keys.eventHead, headEntry), ...plan.comparisons],
      [
        { put: keys.eventHead, value: encodeRecord({ first, last: plan.last }) },
        ...plan.records.flatMap((record) => puts(keys, record)),
        ...evicted,
      ],
      signal,
    );
    return kind === 'committed' ? plan.ids : undefined;
  }

  /** Gives ids to those whose key is new. */
  private numbered(
    { keys, events, op, mask }: Job,
    head: HeadRecord,
    known: ReadonlyMap<string, number>,
  ): {
    readonly ids: readonly number[];
    readonly last: number;
    readonly records: readonly EventRecord[];
    readonly comparisons: readonly Comparison[];
  } {
    const at = new Date(this.deps.clock.nowMs()).toISOString();
    const idOfKey = new Map(known);
    const records: EventRecord[] = [];
    let last = head.last;
    const ids = events.map((event) => {
      const earlier = event.key === undefined ? undefined : idOfKey.get(event.key);
      if (earlier !== undefined) return earlier;
      last += 1;
      if (event.key !== undefined) idOfKey.set(event.key, last);
      records.push(recordOf(event, { id: last, at, op }, mask));
      return last;
    });
    const comparisons = records.flatMap(({ key }): Comparison[] =>
      key === undefined ? [] : [{ key: keys.eventKeyOf(key), is: 'absent' }],
    );
    return { ids, last, records, comparisons };
  }

  private async knownKeys({ keys, events, signal }: Job): Promise<Map<string, number>> {
    const asked = [...new Set(events.flatMap(({ key }) => (key === undefined ? [] : [key])))];
    const entries = await Promise.all(
      asked.map((key) => this.deps.store.get(keys.eventKeyOf(key), { signal })),
    );
    return new Map(
      asked.flatMap((key, index) => {
        const entry = entries[index];
        return entry === undefined ? [] : [[key, decodeRecord(entry, eventKeyRecord).id] as const];
      }),
    );
  }

  /** What goes so that no more than the limit is kept, and the oldest that stays. */
  private async evicted(
    keys: ClusterKeys,
    { first, last }: HeadRecord,
    signal: AbortSignal,
  ): Promise<{ readonly evicted: readonly Operation[]; readonly first: number }> {
    const count = Math.min(last - first + 1 - this.deps.maxEvents, MAX_EVICTED);
    if (count <= 0) return { evicted: [], first };
    const gone = await this.after(keys, first - 1, count, signal);
    const kept = first + count;
    const evicted = gone
      .filter(({ id }) => id < kept)
      .flatMap(({ id, key }) => [
        { delete: keys.eventOf(id) },
        ...(key === undefined ? [] : [{ delete: keys.eventKeyOf(key) }]),
      ]);
    return { evicted, first: kept };
  }

  /** Whether the last try, whose outcome is unknown, was committed after all. */
  private async isOurs({ keys, op, signal }: Job, tried: readonly number[]): Promise<boolean> {
    const entry = await this.deps.store.get(keys.eventOf(Math.max(...tried)), { signal });
    return entry !== undefined && decodeEvent(entry).op === op;
  }
}

/** The event of an entry. Throws as `decodeRecord`. */
export function decodeEvent(entry: Entry): EventRecord {
  return decodeRecord(entry, eventRecord);
}

function recordOf(
  event: NewEvent,
  { id, at, op }: Pick<EventRecord, 'id' | 'at' | 'op'>,
  mask: Mask,
): EventRecord {
  const { node, kind, text, before, after, key } = event;
  return {
    id,
    at,
    node,
    kind,
    text: safeText(text, mask),
    before: safeValue(before, mask),
    after: safeValue(after, mask),
    ...(key === undefined ? {} : { key }),
    op,
  };
}

function puts(keys: ClusterKeys, record: EventRecord): Operation[] {
  const { id, key } = record;
  return [
    { put: keys.eventOf(id), value: encodeRecord(record) },
    ...(key === undefined ? [] : [{ put: keys.eventKeyOf(key), value: encodeRecord({ id }) }]),
  ];
}

function unchanged(key: string, entry: Entry | undefined): Comparison {
  return entry === undefined
    ? { key, is: 'absent' }
    : { key, is: 'at', modRevision: entry.modRevision };
}
