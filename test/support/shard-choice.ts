// Which shard of a group with several a real influxd puts a series into. influxd makes groups of one shard alone, so the
// others are written into its meta.db while it is stopped.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { decodeSnapshot, encodeSnapshot } from '../../shared/meta/codec.js';
import { ShardInfoSchema } from '../../shared/meta/gen/meta_pb.js';
import type { TestInfluxd } from './influxd.js';
import { startInfluxd } from './influxd.js';

const TIME = '1000000000';

/** What influxd did with the series of a key. */
export interface ShardChoice {
  /** Measurement and tags as written, base64, because not all are UTF-8. */
  readonly key: string;
  /** Place in the group's list of shards. */
  readonly shard: number;
}

/** A server whose database `d` has one group, around 1970, with that many shards. */
export async function serverWithShards(shards: number): Promise<TestInfluxd> {
  const influxd = await startInfluxd();
  await influxd.query('CREATE DATABASE "d"');
  await influxd.write('d', `seed f=1 ${TIME}`);
  await influxd.stop();
  const file = join(influxd.metaDir, 'meta.db');
  const data = decodeSnapshot(await readFile(file));
  const group = data.Databases.find(({ Name }) => Name === 'd')?.RetentionPolicies[0]
    ?.ShardGroups[0];
  if (!group) throw new Error('influxd made no shard group for the point');
  while (group.Shards.length < shards) {
    data.MaxShardID += 1n;
    group.Shards.push(create(ShardInfoSchema, { ID: data.MaxShardID }));
  }
  await writeFile(file, encodeSnapshot(data));
  await influxd.start();
  return influxd;
}

/** Writes one point of each series and looks which shard has it. */
export async function shardChoices(
  influxd: TestInfluxd,
  keys: readonly Buffer[],
): Promise<ShardChoice[]> {
  const choices: ShardChoice[] = [];
  // A shard has no counters before its first point.
  let before = await pointsByShard(influxd);
  for (const key of keys) {
    const answer = await fetch(`${influxd.url}/write?db=d`, {
      method: 'POST',
      body: new Uint8Array(Buffer.concat([key, Buffer.from(` f=1 ${TIME}`)])),
      signal: AbortSignal.timeout(5_000),
    });
    if (answer.status !== 204) throw new Error(`${key.toString()}: ${await answer.text()}`);
    const after = await pointsByShard(influxd);
    const ids = [...after].filter(([id, points]) => points > (before.get(id) ?? 0));
    if (ids.length !== 1) throw new Error(`${key.toString()} went to ${ids.length} shards`);
    choices.push({ key: key.toString('base64'), shard: Number(ids[0]?.[0]) - 1 });
    before = after;
  }
  return choices;
}

/** Points written to each shard since the start; the ids are 1, 2, 3 ..., in the order of the group. */
async function pointsByShard(influxd: TestInfluxd): Promise<Map<string, number>> {
  const [result] = await influxd.query(`SHOW STATS FOR 'shard'`);
  const points = new Map<string, number>();
  for (const { tags, columns, values } of result?.series ?? []) {
    points.set(tags?.id ?? '', Number(values?.[0]?.[columns.indexOf('writePointsOk')]));
  }
  return points;
}
