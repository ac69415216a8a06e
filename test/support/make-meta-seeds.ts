// Makes test/fixtures/meta-seeds.json: meta.db files as a real influxd wrote them, for the tests that damage such files.
// Run by hand where the fixture shall change: node --import tsx test/support/make-meta-seeds.ts
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startInfluxd } from './influxd.js';

const OUTPUT = new URL('../fixtures/meta-seeds.json', import.meta.url);
const HOUR_S = 3_600;

const influxd = await startInfluxd();
const seeds: Record<string, string> = {};
const keep = async (name: string) => {
  const bytes = await readFile(join(influxd.metaDir, 'meta.db'));
  seeds[name] = bytes.toString('base64');
};
try {
  await influxd.query('CREATE DATABASE "telegraf"');
  await keep('one database');
  await influxd.query(
    'CREATE RETENTION POLICY "week" ON "telegraf" DURATION 7d REPLICATION 1 SHARD DURATION 1d DEFAULT',
  );
  await influxd.query('CREATE DATABASE "höhe ü"');
  const now = Math.floor(Date.now() / 1_000);
  for (const age of [0, 30, 60]) {
    await influxd.write('telegraf', `cpu,host=a v=1 ${now - age * HOUR_S}000000000`);
  }
  await influxd.write('höhe ü', 'm v=1 1000000000');
  await keep('shard groups');
  await influxd.query(
    'CREATE CONTINUOUS QUERY "mean" ON "telegraf" BEGIN SELECT mean("v") INTO "cpu_1h" FROM "cpu" GROUP BY time(1h) END',
  );
  await influxd.query(
    `CREATE SUBSCRIPTION "out" ON "telegraf"."week" DESTINATIONS ALL 'udp://127.0.0.1:9', 'http://127.0.0.1:9'`,
  );
  await influxd.query(`CREATE USER "admin" WITH PASSWORD 'x' WITH ALL PRIVILEGES`);
  await influxd.query(`CREATE USER "reader" WITH PASSWORD 'y'`);
  await influxd.query('GRANT READ ON "telegraf" TO "reader"');
  await influxd.query('GRANT ALL ON "höhe ü" TO "reader"');
  await keep('everything');
  await influxd.query('DROP SHARD 1');
  await influxd.query('REVOKE READ ON "telegraf" FROM "reader"');
  await influxd.query('DROP DATABASE "höhe ü"');
  await keep('after drops');
  await writeFile(OUTPUT, `${JSON.stringify(seeds, null, 2)}\n`);
} finally {
  await influxd.remove();
}
