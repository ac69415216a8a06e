// What the demo does to the three servers, as plain InfluxQL on one of them, and by which question a client of another one
// sees that it has arrived.
import type { TestInfluxd } from '../../test/support/influxd.js';

export interface Change {
  /** Counted from 0: where the statement is run. */
  readonly node: number;
  readonly statement: string;
  /** The statement as it is printed, where a secret is in it. */
  readonly shown?: string;
  readonly hasArrived: (influxd: TestInfluxd) => Promise<boolean>;
  /** True where no statement can bring it to the other servers. */
  readonly needsOffline?: true;
}

export const USER = 'reader';

/** In clear, because a person may want to log in with it; the servers of the demo ask nobody for it. */
export const PASSWORD = 'secret';

export const CHANGES: readonly Change[] = [
  {
    node: 0,
    statement: 'CREATE DATABASE "telegraf"',
    hasArrived: async (influxd) => (await influxd.names('SHOW DATABASES')).includes('telegraf'),
  },
  {
    node: 1,
    statement: 'CREATE RETENTION POLICY "week" ON "telegraf" DURATION 7d REPLICATION 1',
    hasArrived: async (influxd) =>
      (await influxd.names('SHOW RETENTION POLICIES ON "telegraf"')).includes('week'),
  },
  {
    node: 2,
    statement:
      'CREATE CONTINUOUS QUERY "hourly" ON "telegraf" BEGIN SELECT mean("usage") AS "usage" INTO "telegraf"."week"."cpu_hourly" FROM "cpu" GROUP BY time(1h), * END',
    shown: 'CREATE CONTINUOUS QUERY "hourly" ON "telegraf" BEGIN ... END',
    hasArrived: async (influxd) => (await queriesOf(influxd, 'telegraf')).includes('hourly'),
  },
  {
    node: 0,
    statement: `CREATE USER "${USER}" WITH PASSWORD '${PASSWORD}'`,
    hasArrived: async (influxd) => (await influxd.names('SHOW USERS')).includes(USER),
    needsOffline: true,
  },
];

/** SHOW CONTINUOUS QUERIES has a series for each database. */
async function queriesOf(influxd: TestInfluxd, database: string): Promise<string[]> {
  const [result] = await influxd.query('SHOW CONTINUOUS QUERIES');
  const series = result?.series?.find(({ name }) => name === database);
  return (series?.values ?? []).map(([name]) => String(name));
}
