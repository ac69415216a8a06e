// Makes planned changes by writing meta.db while influxd is stopped: the way for what no statement can set, and for a server
// that was never started. The base moves only when a running influxd shows what was written (settle-note.ts).
import { isAppError } from '../../shared/errors/app-error.js';
import { reached } from '../../shared/failpoint/failpoint.js';
import { describeKey } from '../../shared/meta/diff.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import type { Lineage } from '../../shared/meta/lineage.js';
import type { ObjectKey, Schema, SchemaObject } from '../../shared/meta/model.js';
import { nameOf, parentsOf } from '../../shared/meta/model.js';
import type { LoadedShard, MetaFile } from '../influxd/port.js';
import { refusalOf, whyBadName } from '../influxd/rules.js';
import type { Move } from './base.js';
import type { BaseStore } from './base-store.js';
import { moveOfAlter, movesOfDrop } from './moves.js';
import type { LocalState } from './observe.js';
import type { Apply, PlannedPending } from './plan-types.js';
import type { StepTaken } from './port.js';
import { stepOfApply } from './report.js';

/** Reads and writes `<meta-dir>/meta.db`, and only while influxd is provably stopped. */
export interface MetaWriter {
  /** The file. Throws `influxd-running`, `meta-unreadable`; a new server without its meta directory has none. */
  readFile(signal: AbortSignal): Promise<MetaFile>;
  /** The file as it will be: the local one with this schema, Term and Index raised, ids above all on disk. */
  compose(local: LocalState, target: Schema, signal: AbortSignal): Promise<Data>;
  /** Throws `influxd-running`, or `version-conflict` where the file is not the one that was read: it is left alone then. */
  write(data: Data, expected: Buffer | undefined, signal: AbortSignal): Promise<void>;
  /** Shards in the data directory. */
  shardsOnDisk(signal: AbortSignal): Promise<LoadedShard[]>;
}

export interface OfflineResult {
  readonly steps: readonly StepTaken[];
  readonly pending: readonly PlannedPending[];
  readonly hasMoved: boolean;
}

export interface OfflineWork {
  readonly applies: readonly Apply[];
  /** The moves of an earlier offline write that influxd has not loaded yet; they go into the new note. */
  readonly carried: readonly Move[];
  readonly local: LocalState;
  readonly store: BaseStore;
}

export class OfflineApplier {
  constructor(private readonly writer: MetaWriter) {}

  shardsOnDisk(signal: AbortSignal): Promise<LoadedShard[]> {
    return this.writer.shardsOnDisk(signal);
  }

  /** Throws as `MetaWriter.readFile`. */
  readFile(signal: AbortSignal): Promise<MetaFile> {
    return this.writer.readFile(signal);
  }

  /** All changes in one write. Throws as `MetaWriter.write`, but for a file that changed meanwhile (`hasMoved`). */
  async apply(work: OfflineWork, signal: AbortSignal): Promise<OfflineResult> {
    const { local, store } = work;
    const { writable, pending } = sortOut(work.applies, {
      lineage: local.lineage,
      disk: await this.writer.shardsOnDisk(signal),
    });
    if (writable.length === 0) return { steps: [], pending, hasMoved: false };
    const target = schemaAfter(local.schema, writable);
    const data = await this.writer.compose(local, target, signal);
    const moves = [...work.carried, ...writable.flatMap((apply) => this.movesOf(apply, store))];
    const earlier = store.state.note;
    await reached('agent.offline.planned');
    await store.append([
      { record: 'note', note: { kind: 'offline', term: data.Term.toString(), moves } },
    ]);
    await reached('agent.offline.noted');
    try {
      await this.writer.write(data, local.fileBytes, signal);
    } catch (error) {
      if (!isAppError(error, 'influxd-running', 'version-conflict')) throw error;
      // Certainly not written: an earlier write that influxd has yet to load must not be forgotten.
      await store.append([
        earlier === undefined ? { record: 'settled' } : { record: 'note', note: earlier },
      ]);
      if (error.code === 'influxd-running') throw error;
      return { steps: [], pending, hasMoved: true };
    }
    await reached('agent.offline.written');
    return { steps: writable.map(stepOfApply), pending, hasMoved: false };
  }

  private movesOf(apply: Apply, store: BaseStore): Move[] {
    switch (apply.kind) {
      case 'create':
        return [{ key: apply.key, entry: { remote: apply.remote, local: apply.target } }];
      case 'alter':
        return [moveOfAlter(apply, apply.fields)];
      case 'drop':
        return movesOfDrop(apply, store.state.entries);
    }
  }
}

const WAITS_FOR_INFLUXD =
  'its shards are on this disk, and only a running influxd removes them; it is dropped when influxd runs';

export interface LocalShards {
  readonly lineage: Lineage;
  readonly disk: readonly LoadedShard[];
}

/**
 * What a file can't do is pending: a dropped database or policy would leave its shards behind as orphans, and influxd would
 * not take (or would trip over) what breaks its own rules. What lies in something that is pending is pending with it.
 */
export function sortOut(
  applies: readonly Apply[],
  shards: LocalShards,
): { readonly writable: readonly Apply[]; readonly pending: readonly PlannedPending[] } {
  const writable: Apply[] = [];
  const pending: PlannedPending[] = [];
  const absent = new Set<ObjectKey>();
  for (const apply of applies) {
    const reason =
      apply.kind === 'drop'
        ? whyNotDropped(apply.before, shards)
        : whyNotWritten(apply.target, absent);
    if (reason === undefined) writable.push(apply);
    else {
      pending.push({ key: apply.key, reason, remedy: '' });
      if (apply.kind === 'create') absent.add(apply.key);
    }
  }
  return { writable, pending };
}

function whyNotDropped(object: SchemaObject, { lineage, disk }: LocalShards): string | undefined {
  if (object.kind !== 'database' && object.kind !== 'policy') return undefined;
  const [database, policy] = object.path;
  const isIn = (place: { readonly database: string; readonly policy: string }) =>
    place.database === database && (policy === undefined || place.policy === policy);
  return lineage.groups.some(isIn) || disk.some(isIn) ? WAITS_FOR_INFLUXD : undefined;
}

function whyNotWritten(object: SchemaObject, absent: ReadonlySet<ObjectKey>): string | undefined {
  const parent = parentsOf(object).find((key) => absent.has(key));
  if (parent !== undefined) return `${describeKey(parent)} can't be created here`;
  switch (object.kind) {
    case 'database':
      return whyBadName(object.path[0]);
    case 'user':
    case 'privilege':
      return undefined;
    case 'policy':
    case 'continuous-query':
    case 'subscription':
      return refusalOf(object);
  }
}

/** The schema with all changes made; a dropped object takes along what lies in it. */
export function schemaAfter(before: Schema, applies: readonly Apply[]): Schema {
  const schema = new Map<ObjectKey, SchemaObject>(before);
  for (const apply of applies) {
    if (apply.kind !== 'drop') {
      schema.set(apply.key, apply.target);
      continue;
    }
    schema.delete(apply.key);
    for (const key of before.keys()) {
      if (parentsOf(nameOf(key)).includes(apply.key)) schema.delete(key);
    }
  }
  return schema;
}
