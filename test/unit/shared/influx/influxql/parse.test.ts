// What the parser says of statements: their classes, texts, databases and privileges.
import { expect } from 'chai';
import { parseQuery } from '../../../../../shared/influx/influxql/parse.js';
import type { Statement } from '../../../../../shared/influx/influxql/statement.js';

const ADMIN = [{ isAdmin: true, database: '', level: 'ALL' }];
const NOTHING = [{ isAdmin: false, database: '', level: 'none' }];
const READ = (database: string) => ({ isAdmin: false, database, level: 'READ' });
const WRITE = (database: string) => ({ isAdmin: false, database, level: 'WRITE' });

/** Text, what it has to say, what one needs. */
const CLASSES: readonly (readonly [string, object, readonly object[]])[] = [
  ['SELECT a FROM cpu', { kind: 'select' }, [READ('')]],
  ['SELECT a FROM d.r.cpu, e..mem', { kind: 'select' }, [READ('d'), READ('e')]],
  ['SELECT a FROM (SELECT b FROM d.r.m)', { kind: 'select' }, [READ('d')]],
  ['SELECT a INTO d..b FROM c', { kind: 'into' }, [READ(''), WRITE('d')]],
  ['EXPLAIN SELECT a FROM d..c', { kind: 'explain', isAnalyze: false }, [READ('d')]],
  ['EXPLAIN ANALYZE SELECT a FROM c', { kind: 'explain', isAnalyze: true }, [READ('')]],
  ['SHOW DATABASES', { kind: 'show-metadata', what: 'databases', database: '' }, NOTHING],
  ['SHOW RETENTION POLICIES ON d', { what: 'retention-policies', database: 'd' }, [READ('d')]],
  ['SHOW USERS', { kind: 'show-metadata', what: 'users' }, ADMIN],
  ['SHOW GRANTS FOR u', { kind: 'show-metadata', what: 'grants' }, ADMIN],
  ['SHOW CONTINUOUS QUERIES', { what: 'continuous-queries' }, [READ('')]],
  ['SHOW SUBSCRIPTIONS', { what: 'subscriptions' }, ADMIN],
  ['SHOW SHARDS', { what: 'shards' }, ADMIN],
  ['SHOW SHARD GROUPS', { what: 'shard-groups' }, ADMIN],
  ["SHOW STATS FOR 'x'", { kind: 'show-server', what: 'stats' }, ADMIN],
  ['SHOW DIAGNOSTICS', { kind: 'show-server', what: 'diagnostics' }, ADMIN],
  ['SHOW QUERIES', { kind: 'show-server', what: 'queries' }, [READ('')]],
  ['SHOW SERIES ON d', { kind: 'show-data', what: 'series', database: 'd' }, [READ('d')]],
  ['SHOW SERIES CARDINALITY ON d', { what: 'series-cardinality' }, [READ('d')]],
  ['SHOW SERIES EXACT CARDINALITY ON d', { what: 'series-exact-cardinality' }, []],
  ['SHOW MEASUREMENTS', { kind: 'show-data', what: 'measurements' }, [READ('')]],
  ['SHOW MEASUREMENT CARDINALITY', { what: 'measurement-cardinality' }, [READ('')]],
  ['SHOW TAG KEYS FROM d..m', { what: 'tag-keys', database: '' }, [READ('')]],
  ['SHOW TAG KEY CARDINALITY FROM d..m', { what: 'tag-key-cardinality' }, [READ('d')]],
  ['SHOW TAG VALUES WITH KEY = k', { what: 'tag-values' }, [READ('')]],
  ['SHOW FIELD KEYS ON d', { what: 'field-keys', database: 'd' }, [READ('d')]],
  ['SHOW FIELD KEY EXACT CARDINALITY', { what: 'field-key-exact-cardinality' }, []],
  ['CREATE DATABASE d', { kind: 'metadata', what: 'create-database', database: 'd' }, ADMIN],
  ['DROP DATABASE d', { what: 'drop-database', database: 'd' }, ADMIN],
  ['DROP RETENTION POLICY r ON d', { what: 'drop-retention-policy' }, [WRITE('d')]],
  ['DROP CONTINUOUS QUERY q ON d', { what: 'drop-continuous-query' }, [WRITE('d')]],
  [
    'CREATE CONTINUOUS QUERY q ON d BEGIN SELECT a INTO e..b FROM c END',
    { kind: 'metadata', what: 'create-continuous-query', database: 'd' },
    [READ('d'), WRITE('e')],
  ],
  ['GRANT ALL ON d TO u', { kind: 'metadata', what: 'grant', database: 'd' }, ADMIN],
  ['GRANT ALL PRIVILEGES TO u', { what: 'grant-admin', database: '' }, ADMIN],
  ['REVOKE READ ON d FROM u', { what: 'revoke', database: 'd' }, ADMIN],
  ['REVOKE ALL FROM u', { what: 'revoke-admin', database: '' }, ADMIN],
  [
    "CREATE USER \"a b\" WITH PASSWORD 'it\\'s' WITH ALL PRIVILEGES",
    { kind: 'user', what: 'create', user: 'a b', password: "it's", isAdmin: true },
    ADMIN,
  ],
  ["SET PASSWORD FOR u = 'p'", { kind: 'user', what: 'set-password', password: 'p' }, ADMIN],
  ['DROP USER u', { kind: 'user', what: 'drop', user: 'u' }, ADMIN],
  ['DELETE FROM m', { kind: 'delete', what: 'delete', database: '' }, [WRITE('')]],
  ['DROP SERIES FROM m', { kind: 'delete', what: 'drop-series' }, [WRITE('')]],
  ['DROP MEASUREMENT m', { kind: 'delete', what: 'drop-measurement' }, ADMIN],
  ['DROP SHARD 18446744073709551615', { kind: 'drop-shard', shard: 2n ** 64n - 1n }, ADMIN],
  ['KILL QUERY 3 ON "h:1"', { kind: 'kill', query: 3n, host: 'h:1' }, ADMIN],
];

describe('influxql: statements', () => {
  for (const [text, said, privileges] of CLASSES) {
    it(`knows ${text}`, () => {
      const statement = only(text);
      expect(statement).to.deep.include({ text, ...said });
      expect(statement.privileges).to.deep.equal(privileges);
    });
  }

  it('cuts at semicolons that are none of strings, names, regular expressions and comments', () => {
    const texts = [
      `SELECT "a;b" FROM "c;d" WHERE e = 'f;g' AND h =~ /i;j\\/;/ /* k;l */`,
      'SHOW DATABASES -- m;n',
      'SHOW USERS',
    ];
    const parsed = parseQuery(` ;${texts[0]};;${texts[1]}\n;  ${texts[2]}; -- the end`);
    expect(textsOf(parsed)).to.deep.equal(texts);
  });

  it('leaves out INTO, and says where it leads', () => {
    expect(
      only('SELECT mean(a) INTO "d"."r".:MEASUREMENT FROM /x/ GROUP BY time(1m), *'),
    ).to.deep.include({
      select: 'SELECT mean(a)  FROM /x/ GROUP BY time(1m), *',
      target: { database: 'd', policy: 'r', measurement: undefined, regex: undefined },
      isGroupedByTime: true,
    });
    expect(only('SELECT a INTO b/* c */FROM d')).to.deep.include({
      select: 'SELECT a  FROM d',
      target: { database: '', policy: '', measurement: 'b', regex: undefined },
      isGroupedByTime: false,
    });
  });

  it('names all sources, those of subqueries too', () => {
    const text = 'SELECT a FROM cpu, r./c\\/d/, (SELECT b FROM d.r."m.n", e..f)';
    const source = { database: '', policy: '', measurement: undefined, regex: undefined };
    expect(only(text)).to.have.deep.property('sources', [
      { ...source, measurement: 'cpu' },
      { ...source, policy: 'r', regex: 'c/d' },
      { ...source, database: 'd', policy: 'r', measurement: 'm.n' },
      { ...source, database: 'e', measurement: 'f' },
    ]);
  });

  it('puts bound parameters in', () => {
    const params = {
      m: { identifier: 'select' },
      r: { regex: 'a|b' },
      d: { duration: '1h' },
      n: 3,
      f: 1.5,
      b: true,
      big: 2n ** 62n,
    };
    const text = 'SELECT a FROM $m WHERE x =~ $r AND y = $n AND z = $f AND w = $b LIMIT $n';
    expect(parseQuery(text, params)).to.have.nested.property(
      'statements[0].sources[0].measurement',
      'select',
    );
    expect(parseQuery('DROP SHARD $big', params)).to.have.nested.property(
      'statements[0].shard',
      2n ** 62n,
    );
    expect(parseQuery('SELECT a FROM m GROUP BY time($d)', params).kind).to.equal('parsed');
    for (const bad of ['$none', '$', '$x']) {
      expect(parseQuery(`SELECT a FROM m WHERE a = ${bad}`, { x: { nope: 1 } }).kind).to.equal(
        'unparsable',
      );
    }
  });

  it('marks what only it refuses: NUL, and nesting that it has no stack for', () => {
    for (const text of [
      'SELECT a\0 FROM m',
      `SELECT ${'('.repeat(9_999)}`,
      `DELETE WHERE a =~ /${'x'.repeat(9_999)}/`,
    ]) {
      expect(parseQuery(text)).to.deep.include({ kind: 'unparsable', isOurLimit: true });
    }
    expect(parseQuery('SELECT')).not.to.have.property('isOurLimit');
  });
});

function only(text: string): Statement {
  const parsed = parseQuery(text);
  if (parsed.kind !== 'parsed') throw new Error(parsed.why);
  expect(parsed.statements).to.have.length(1);
  return parsed.statements[0]!;
}

function textsOf(parsed: ReturnType<typeof parseQuery>): string[] {
  return parsed.kind === 'parsed' ? parsed.statements.map((one) => one.text) : [];
}
