// Privileges beside a real influxd: who may run which statement.
import { expect } from 'chai';
import { parseQuery } from '../../shared/influx/influxql/parse.js';
import type { RequiredPrivilege } from '../../shared/influx/influxql/statement.js';
import { STATEMENTS } from '../support/influxql-statements.js';
import { startInfluxd, type TestInfluxd } from '../support/influxd.js';

/** What each user was granted, on which database. Nobody is an admin: admins may everything. */
const GRANTS = {
  reader: { db: 'READ', other: 'WRITE' },
  writer: { db: 'WRITE', other: 'READ' },
  owner: { db: 'ALL' },
  nobody: {},
} as const;
type User = keyof typeof GRANTS;
const USERS = Object.keys(GRANTS) as User[];

const MORE: readonly string[] = [
  'SELECT a FROM m',
  'SELECT a FROM other..m',
  'SELECT a FROM m, other..m',
  'SELECT a FROM (SELECT b FROM other..m), m',
  'SELECT a INTO other..n FROM m',
  'SELECT a INTO n FROM other..m',
  'SELECT a FROM (SELECT b INTO other..n FROM m)',
  'EXPLAIN SELECT a FROM other..m',
  'SHOW SERIES EXACT CARDINALITY ON db',
  'SHOW SERIES EXACT CARDINALITY FROM other..m',
  'SHOW TAG KEYS ON other FROM db..m',
  'SHOW TAG KEYS ON db FROM other..m',
  'SHOW FIELD KEY CARDINALITY',
  'SHOW RETENTION POLICIES',
  'SHOW RETENTION POLICIES ON other',
  'DROP RETENTION POLICY r ON db',
  'DROP RETENTION POLICY r ON other',
  'DROP CONTINUOUS QUERY q ON db',
  'CREATE CONTINUOUS QUERY q ON db BEGIN SELECT a INTO b FROM m END',
  'CREATE CONTINUOUS QUERY q ON db BEGIN SELECT a INTO other..b FROM m END',
  'DELETE FROM m',
  'DROP SERIES FROM m',
];

describe('influxql: privileges beside a real influxd', () => {
  let influxd: TestInfluxd;
  before(async () => {
    influxd = await startInfluxd({ authEnabled: true });
    await influxd.query("CREATE USER root WITH PASSWORD 'x' WITH ALL PRIVILEGES");
    const params = { u: 'root', p: 'x' };
    const run = (text: string) => influxd.query(text, { params });
    await run('CREATE DATABASE db; CREATE DATABASE other');
    for (const user of USERS) {
      await run(`CREATE USER ${user} WITH PASSWORD 'x'`);
      for (const [database, level] of Object.entries(GRANTS[user])) {
        await run(`GRANT ${level} ON ${database} TO ${user}`);
      }
    }
  });
  after(() => influxd.remove());

  it('are those that influxd asks for', async function () {
    this.timeout(60_000);
    const differences: string[] = [];
    for (const text of [...STATEMENTS, ...MORE]) {
      const parsed = parseQuery(text);
      if (parsed.kind !== 'parsed') throw new Error(parsed.why);
      const needed = parsed.statements.flatMap((statement) => statement.privileges);
      for (const user of USERS) {
        const ours = needed.every((privilege) => mayRun(user, privilege));
        const theirs = await isAllowed(influxd, user, text);
        if (ours !== theirs) differences.push(`${user}: ${text} (influxd: ${theirs})`);
      }
    }
    expect(differences.join('\n')).to.equal('');
  });
});

function mayRun(user: User, privilege: RequiredPrivilege): boolean {
  if (privilege.isAdmin) return false;
  if (privilege.level === 'none') return true;
  const grants: Readonly<Record<string, string>> = GRANTS[user];
  const granted = grants[privilege.database === '' ? 'db' : privilege.database];
  return granted === 'ALL' || granted === privilege.level;
}

async function isAllowed(influxd: TestInfluxd, user: User, q: string): Promise<boolean> {
  const response = await fetch(`${influxd.url}/query?db=db&u=${user}&p=x`, {
    method: 'POST',
    body: new URLSearchParams({ q }),
    signal: AbortSignal.timeout(10_000),
  });
  await response.text();
  return response.status !== 403;
}
