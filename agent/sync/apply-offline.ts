// Makes planned changes by writing meta.db while influxd is stopped: the way for what no statement can set, and for a server
// that was never started. The base moves only when a running influxd shows what was written (settle-note.ts).
import type { LoadedShard } from '../influxd/port.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import type { ObjectKey, Schema, SchemaObject } from '../../shared/meta/model.js';
import { nameOf, parentsOf } from '../../shared/meta/model.js';
import type { Move } from './base.js';
import type { BaseStore } from './base-store.js';
import { moveOfAlter, movesOfDrop } from './moves.js';
import type { LocalState } from './observe.js';
import type { Apply, PlannedPending } from './plan-types.js';
import type { StepTaken } from './port.js';
import { stepOfApply } from './report.js';

/** Writes `<meta-dir>/meta.db` atomically, and only while influxd is provably stopped. */
export interface MetaWriter {
  /** The file as it will be: the local one with this schema, Term and Index raised, ids above all on disk. */
  compose(local: LocalState, target: Schema, signal: AbortSignal): Promise<Data>;
  /** Throws `influxd-running`, or `version-conflict` where the file is not the one that was read. */
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
  readonly carried: readonly Move[];
  readonly local: LocalState;
  readonly store: BaseStore;
}

export class OfflineApplier {
  constructor(
    private readonly writer: MetaWriter,
    private readonly nowMs: () => number,
  ) {}

  shardsOnDisk(signal: AbortSignal): Promise<LoadedShard[]> {
    return this.writer.shardsOnDisk(signal);
  }

  /** `carried`: the moves of an earlier offline write that influxd has not loaded yet; they go into the new note. */
  async apply(work: OfflineWork, signal: AbortSignal): Promise<OfflineResult> {
    const { applies, local, store } = work;
    const target = schemaAfter(local.schema, applies);
    const data = await this.writer.compose(local, target, signal);
    const moves = [...work.carried, ...applies.flatMap((apply) => this.movesOf(apply, store))];
    await store.append([
      { record: 'note', note: { kind: 'offline', term: data.Term.toString(), moves } },
    ]);
    await this.writer.write(data, local.fileBytes, signal);
    return { steps: applies.map(stepOfApply), pending: [], hasMoved: false };
  }

  private movesOf(apply: Apply, store: BaseStore): Move[] {
    switch (apply.kind) {
      case 'create':
        return [{ key: apply.key, entry: { remote: apply.remote, local: apply.target } }];
      case 'alter':
        return [moveOfAlter(apply, apply.fields, this.nowMs())];
      case 'drop':
        return movesOfDrop(apply, store.state.entries);
    }
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
