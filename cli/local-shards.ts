// Which shards of its own influxd a node has for a group of the cluster: by overlap in time in that influxd's metadata, because
// ids and bounds are each server's own. It asks the node's agent, and never influxd itself.
import { decodeSnapshot } from '../shared/meta/codec.js';
import type { ShardGroupInfo } from '../shared/meta/gen/meta_pb.js';
import { isAppError } from '../shared/errors/app-error.js';
import type { PlacedGroup } from '../shared/placement/model.js';
import { overlaps } from '../shared/placement/rules.js';
import type { Target } from './commands/target.js';
import { readLiveMetadata, readLiveShardBytes } from './live-metadata.js';

export interface LocalShards {
  /** Ascending; several where bounds differ. */
  idsOf(group: PlacedGroup): number[];
  /** On disk; undefined where its agent does not tell. */
  bytesOf(group: PlacedGroup): number | undefined;
}
