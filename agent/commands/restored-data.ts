// The meta.db that a restore puts in place: a kept one, joined with what the cluster has now, numbered so that it is taken
// for no earlier state of this server. Pure.
import { lineageOf } from '../../shared/meta/lineage.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import type { Schema } from '../../shared/meta/model.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import { offlineData, raiseIds } from '../influxd/offline-data.js';
import type { LoadedShard } from '../influxd/port.js';
import { schemaAfter, sortOut } from '../sync/apply-offline.js';
import type { Base } from '../sync/base.js';
import { plan } from '../sync/plan.js';
import type { PlanInput } from '../sync/plan-types.js';
import type { RemoteState } from '../sync/remote-view.js';

export interface RestoreSources {
  /** What is put back. */
  readonly kept: Data;
  /** What stands there now, where it can be read. */
  readonly current: Data | undefined;
  /** The cluster; undefined where no manager could be asked. */
  readonly remote: RemoteState | undefined;
  readonly disk: readonly LoadedShard[];
  readonly base: Pick<Base, 'lineage' | 'note'>;
  readonly settings: Pick<PlanInput, 'joinPolicy' | 'isShared' | 'ownUser' | 'nowMs'>;
}

/** Index rises by so much with each offline write, as offline-data.ts has it. */
const INDEX_STEP = 1_000n;

export function restoredData(sources: RestoreSources): Data {
  const { kept, current, base, disk } = sources;
  const diskShardIds = disk.map(({ id }) => id);
  const data = raiseIds(
    offlineData(kept, restoredSchema(sources), { diskShardIds }),
    current,
    diskShardIds,
  );
  const noted = base.note?.kind === 'offline' ? BigInt(base.note.term) : 0n;
  const { lineage } = base;
  const before = (text: string | undefined) => BigInt(text ?? '0');
  data.Term = highest(kept.Term, current?.Term ?? 0n, before(lineage?.term), noted) + 1n;
  data.Index = highest(kept.Index, current?.Index ?? 0n, before(lineage?.index)) + INDEX_STEP;
  data.MaxShardID = highest(data.MaxShardID, before(lineage?.maxShardId));
  data.MaxShardGroupID = highest(data.MaxShardGroupID, before(lineage?.maxShardGroupId));
  return data;
}

/** The union of both, as for a node that joins: nothing is dropped, and what both have is the cluster's. */
function restoredSchema({ kept, remote, disk, settings }: RestoreSources): Schema {
  const local = readSchema(kept);
  if (remote === undefined) return local;
  const { applies } = plan({
    ...settings,
    entries: new Map(),
    local,
    remote: remote.schema,
    marks: remote.marks.marks,
    tombstones: remote.marks.tombstones,
    recreated: new Set(),
    whyUnproven: () => undefined,
    isJoining: true,
    wasAwayTooLong: false,
    isAfterGap: false, // a join drops nothing
    guarded: new Set(),
    mode: { push: false, pull: true },
  });
  return schemaAfter(local, sortOut(applies, { lineage: lineageOf(kept), disk }).writable);
}

/** Shards on disk that `data` does not list, or lists elsewhere: no query finds their points. */
export function unlistedShards(data: Data, disk: readonly LoadedShard[]): LoadedShard[] {
  const places = new Set(
    lineageOf(data).groups.flatMap(({ database, policy, shards }) =>
      shards.map((id) => JSON.stringify([id, database, policy])),
    ),
  );
  return disk.filter(
    ({ id, database, policy }) => !places.has(JSON.stringify([id.toString(), database, policy])),
  );
}

function highest(...numbers: readonly bigint[]): bigint {
  return numbers.reduce((a, b) => (a > b ? a : b), 0n);
}
