import { expect } from 'chai';
import { printed } from '../../../../../agent/gateway/query/statement-text.js';

/** What influxd 1.6.7 says in its refusals and warnings. */
const CASES: readonly (readonly [string, string])[] = [
  ['select v from d..cpu', 'SELECT v FROM d..cpu'],
  ['show databases -- all', 'SHOW DATABASES'],
  [
    'select   mean("v"),x into "y" from "d"."autogen".cpu where time>now()-1h and a=~/b c/',
    'SELECT mean(v), x INTO y FROM d.autogen.cpu WHERE time > now() - 1h AND a =~ /b c/',
  ],
  [`create user x with password 'y'`, 'CREATE USER x WITH PASSWORD [REDACTED]'],
  [`set password for "a b"='x'`, 'SET PASSWORD FOR "a b" = [REDACTED]'],
  ['drop measurement "select"', 'DROP MEASUREMENT "select"'],
];

describe('printed', () => {
  for (const [statement, text] of CASES) {
    it(`prints ${statement} as influxd does`, () => {
      expect(printed(statement)).to.equal(text);
    });
  }
});
