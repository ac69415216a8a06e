// Statements as influxd 1.6.7 prints them where it refuses; each row is its own word.
import { expect } from 'chai';
import fc from 'fast-check';
import { printedStatement } from '../../../../../agent/gateway/auth/statement-text.js';

const ROWS: readonly (readonly [statement: string, printed: string])[] = [
  ['show   databases -- all', 'SHOW DATABASES'],
  ['SELECT * FROM d1..cpu,d0..cpu', 'SELECT * FROM d1..cpu, d0..cpu'],
  ['SELECT * FROM (SELECT v FROM d1..cpu)', 'SELECT * FROM (SELECT v FROM d1..cpu)'],
  ['select /^a.*/ from /b\\/c/', 'SELECT /^a.*/ FROM /b\\/c/'],
  [
    'select  MEAN("value"),max(value) as "m x" from "d0".autogen."cpu" where host=\'a\' and time > now() - 60m and v>1.5 group by time(120s),* fill(0) order by time desc limit 3',
    'SELECT mean(value), max(value) AS "m x" FROM d0.autogen.cpu WHERE host = \'a\' AND time > now() - 1h AND v > 1.500 GROUP BY time(2m), * fill(0) ORDER BY time DESC LIMIT 3',
  ],
  [
    'SHOW TAG VALUES WITH KEY IN (host,"a b") WHERE x=\'y\' LIMIT 1',
    'SHOW TAG VALUES WITH KEY IN (host, "a b") WHERE x = \'y\' LIMIT 1',
  ],
  [
    'create database "x" with duration 3d replication 1 shard duration 60m name "y"',
    'CREATE DATABASE x WITH DURATION 72h0m0s REPLICATION 1 SHARD DURATION 1h0m0s NAME y',
  ],
  ['ALTER RETENTION POLICY r ON d0 DURATION 48h', 'ALTER RETENTION POLICY r ON d0 DURATION 2d'],
  [
    "CREATE SUBSCRIPTION s ON d0.autogen DESTINATIONS ALL 'http://h:1','http://h:2'",
    "CREATE SUBSCRIPTION s ON d0.autogen DESTINATIONS ALL 'http://h:1', 'http://h:2'",
  ],
  ['GRANT ALL ON "d0" TO n', 'GRANT ALL PRIVILEGES ON d0 TO n'],
  ['GRANT ALL PRIVILEGES TO n', 'GRANT ALL PRIVILEGES TO n'],
  ["CREATE USER x WITH PASSWORD 'secret'", 'CREATE USER x WITH PASSWORD [REDACTED]'],
  ['set password for "a b" = \'secret\'', 'SET PASSWORD FOR "a b" = [REDACTED]'],
  ["DROP SERIES FROM cpu WHERE a='it\\'s'", "DROP SERIES FROM cpu WHERE a = 'it\\'s'"],
  ['DROP MEASUREMENT "select"', 'DROP MEASUREMENT "select"'],
  [
    'select   mean("v"),x into "y" from "d"."autogen".cpu where time>now()-1h and a=~/b c/',
    'SELECT mean(v), x INTO y FROM d.autogen.cpu WHERE time > now() - 1h AND a =~ /b c/',
  ],
];

describe('a statement in a refusal', () => {
  for (const [statement, printed] of ROWS) {
    it(`is ${printed.slice(0, 60)}`, () => {
      expect(printedStatement(statement)).to.equal(printed);
    });
  }

  it('is the same when it is printed again', () => {
    for (const [, printed] of ROWS.filter(([, text]) => !text.includes('[REDACTED]'))) {
      expect(printedStatement(printed.replaceAll('h0m0s', 'h'))).to.equal(printed);
    }
  });

  it('never has a password in it, and ends whatever the text is', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{6,12}$/), fc.string(), (password, rest) => {
        const text = printedStatement(`CREATE USER u WITH PASSWORD '${password}' ${rest}`);
        expect(text.slice(0, 40)).not.to.include(password);
      }),
    );
  });
});
