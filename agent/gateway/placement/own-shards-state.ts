// What is kept on disk of this node's own shards: the run of influxd that they were seen in, which local shards had a group's
// points, and which groups are known to lack some while no manager could be told.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AppError } from '../../../shared/errors/app-error.js';
import { writeFileAtomically } from '../../../shared/lifecycle/atomic-file.js';

const stateSchema = z.object({
  format: z.literal(1),
  /** The groups that the server brought along are the cluster's. */
  adopted: z.boolean(),
  /** influxd's ids and counters as last seen; '' before the first look. */
  'cluster-id': z.string(),
  term: z.string(),
  index: z.string(),
  /** By group of the placement: local shards that were loaded. */
  shards: z.record(z.string(), z.array(z.string())),
  /** Groups of which points were written here; absent in files of before. */
  written: z.array(z.number().int()).default([]),
  /** By group: why this node may lack points of it. */
  lost: z.record(z.string(), z.string()),
});

export interface OwnShardsState {
  readonly isAdopted: boolean;
  readonly clusterId: string;
  readonly term: bigint;
  readonly index: bigint;
  /** Ids as decimal text, because they are 64 bits wide. */
  readonly shards: ReadonlyMap<number, readonly string[]>;
  readonly lost: ReadonlyMap<number, string>;
  /** Groups of which points were written here: one without a loaded shard has lost them. */
  readonly written: ReadonlySet<number>;
}

export const NEW_STATE: OwnShardsState = {
  isAdopted: false,
  clusterId: '',
  term: 0n,
  index: 0n,
  shards: new Map(),
  lost: new Map(),
  written: new Set(),
};

/** NEW_STATE where there is none. Throws `state-not-current` where it can't be read: then nothing is known to be whole. */
export async function readOwnShards(path: string): Promise<OwnShardsState> {
  try {
    const wire = stateSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    return {
      isAdopted: wire.adopted,
      clusterId: wire['cluster-id'],
      term: BigInt(wire.term),
      index: BigInt(wire.index),
      shards: byGroup(wire.shards),
      lost: byGroup(wire.lost),
      written: new Set(wire.written),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NEW_STATE;
    const message = `reading ${path} failed, so which shards this node had can't be known; run \`clusterflux agent rejoin\``;
    throw new AppError('state-not-current', message, { cause: error });
  }
}

export async function writeOwnShards(path: string, state: OwnShardsState): Promise<void> {
  const wire: z.infer<typeof stateSchema> = {
    format: 1,
    adopted: state.isAdopted,
    'cluster-id': state.clusterId,
    term: state.term.toString(),
    index: state.index.toString(),
    shards: Object.fromEntries([...state.shards].map(([id, shards]) => [id, [...shards]])),
    lost: Object.fromEntries(state.lost),
    written: [...state.written],
  };
  await writeFileAtomically(path, JSON.stringify(wire));
}

function byGroup<T>(wire: Readonly<Record<string, T>>): Map<number, T> {
  return new Map(Object.entries(wire).map(([id, value]) => [Number(id), value]));
}
