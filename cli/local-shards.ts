// Which shards of its own influxd a node has for a group of the cluster: by overlap in time in that influxd's metadata, because
// ids and bounds are each server's own. It asks the node's agent, and never influxd itself.
import { z } from 'zod';
import { decodeSnapshot } from '../shared/meta/codec.js';
import type { Data, ShardGroupInfo } from '../shared/meta/gen/meta_pb.js';
import { isAppError } from '../shared/errors/app-error.js';
import type { PlacedGroup } from '../shared/placement/model.js';
import { overlaps } from '../shared/placement/rules.js';
import type { Target } from './commands/target.js';
import { readLiveMetadata, readLiveStatus } from './live-metadata.js';

export interface LocalShards {
  /** Ascending; several where bounds differ. */
  idsOf(group: PlacedGroup): number[];
  /** On disk; undefined where its agent does not tell. */
  bytesOf(group: PlacedGroup): number | undefined;
}

/** What an agent of this or a later release tells of its influxd's shards. */
const statusSchema = z.looseObject({
  shards: z.array(z.looseObject({ id: z.coerce.number(), bytes: z.number() })).optional(),
});

/** Or why the node's agent tells nothing. Throws what has nothing to do with the agent. */
export async function localShards(
  target: Target,
  node: number,
  timeoutMs: number,
): Promise<LocalShards | string> {
  try {
    const data = decodeSnapshot(await readLiveMetadata(target, node, timeoutMs));
    return shardsOf(data, await sizesOf(target, node, timeoutMs));
  } catch (error) {
    if (isAppError(error)) return error.message;
    throw error;
  }
}

/** Bytes by local shard id; none where the agent does not tell. */
async function sizesOf(
  target: Target,
  node: number,
  timeoutMs: number,
): Promise<Map<number, number>> {
  try {
    const status = statusSchema.safeParse(await readLiveStatus(target, node, timeoutMs));
    return new Map(status.data?.shards?.map(({ id, bytes }) => [id, bytes]));
  } catch (error) {
    // Ids without sizes are worth showing too.
    if (isAppError(error)) return new Map();
    throw error;
  }
}

/** @param sizes bytes by local shard id, as far as they are known */
export function shardsOf(data: Data, sizes: ReadonlyMap<number, number>): LocalShards {
  const idsOf = ({ database, policy, startNs, endNs }: PlacedGroup): number[] => {
    const found = data.Databases.find(({ Name }) => Name === database);
    const groups = found?.RetentionPolicies.find(({ Name }) => Name === policy)?.ShardGroups ?? [];
    return groups
      .filter((group) => group.DeletedAt === 0n && overlaps(boundsOf(group), startNs, endNs))
      .flatMap(({ Shards }) => Shards.map(({ ID }) => Number(ID)))
      .sort((a, b) => a - b);
  };
  return {
    idsOf,
    bytesOf(group) {
      const known = idsOf(group).flatMap((id) => sizes.get(id) ?? []);
      return known.length === 0 ? undefined : known.reduce((sum, bytes) => sum + bytes, 0);
    },
  };
}

function boundsOf({ StartTime, EndTime }: ShardGroupInfo): { startNs: bigint; endNs: bigint } {
  return { startNs: StartTime, endNs: EndTime };
}
