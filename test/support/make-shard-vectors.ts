// Makes test/fixtures/shard-vectors.json: series, and the shard that a real influxd put each into.
// Run by hand where the fixture shall change: node --import tsx test/support/make-shard-vectors.ts
import { writeFile } from 'node:fs/promises';
import { serverWithShards, shardChoices } from './shard-choice.js';

const OUTPUT = new URL('../fixtures/shard-vectors.json', import.meta.url);
const SHARDS = [2, 3, 7];

const ODD = [
  'm',
  'm,a=1',
  'm,b=2,a=1',
  'm,a=1,b=2',
  'm,b=2,a=1,c=3,B=4,aa=5',
  'm\\,x,host=a\\ b',
  'm\\ y,k\\=1=v\\=2',
  'm=z,t=1',
  'm\\=z,t=1',
  'm,a\\ b=1,a=2',
  'm,b\\,=1,b=2',
  'm,a\\=b=1,a=2',
  'a\\\\b,t=\\x',
  '"quoted",t="v"',
  'höhe,öl=ß',
  'm,日本=語,é=1,z=2',
  `long,${'k'.repeat(300)}=${'v'.repeat(900)}`,
];

const keys = [
  ...ODD.map((key) => Buffer.from(key)),
  Buffer.from([...Buffer.from('m,t='), 0xff, 0xfe]),
  Buffer.from([...Buffer.from('m,'), 0xff, ...Buffer.from('=1,'), 0xc3, ...Buffer.from('=2')]),
  ...Array.from({ length: 24 }, (_, at) => Buffer.from(`cpu,region=r${at % 3},host=h${at}`)),
];

const vectors = [];
for (const shards of SHARDS) {
  const influxd = await serverWithShards(shards);
  try {
    vectors.push({ shards, choices: await shardChoices(influxd, keys) });
  } finally {
    await influxd.remove();
  }
}
await writeFile(OUTPUT, `${JSON.stringify(vectors, undefined, 2)}\n`);
