// Statements with the values of their parameters in them: read again they are the same statements.
import { expect } from 'chai';
import { parseQuery } from '../../../../../shared/influx/influxql/parse.js';
import { withParams } from '../../../../../shared/influx/influxql/write-params.js';

const PARAMS = {
  name: { identifier: 'a "b"\\' },
  text: "it's\n",
  regex: { regex: 'a/b' },
  big: 9007199254740993n,
  below: -5n,
  float: { float: 1n },
  huge: { float: 1.5e30 },
  tiny: -1.25e-9,
  time: { duration: '2h' },
  ns: { duration: 7200n },
  yes: true,
  cr: 'a\rb',
  list: [1n],
};

const ROWS: readonly (readonly [string, string | undefined])[] = [
  ['DROP MEASUREMENT $name', 'DROP MEASUREMENT  "a \\"b\\"\\\\"'],
  ['DELETE FROM/x$y/WHERE a=$text', "DELETE FROM/x$y/WHERE a= 'it\\'s\\n'"],
  [
    'DELETE WHERE a =~$regex AND time<$big',
    'DELETE WHERE a =~ /a\\/b/  AND time< 9007199254740993',
  ],
  ['DELETE WHERE time>$below-$ns', 'DELETE WHERE time> -5 - 7200ns'],
  ['DELETE WHERE time>-$below', undefined],
  ['ALTER RETENTION POLICY r ON d DURATION$time', 'ALTER RETENTION POLICY r ON d DURATION 2h'],
  ['DELETE WHERE a=$float AND b=$"yes"', 'DELETE WHERE a= 1.0  AND b= true'],
  ['DELETE WHERE a=$huge', `DELETE WHERE a= 15${'0'.repeat(29)}.0`],
  ['DELETE WHERE a=$tiny', 'DELETE WHERE a= -0.00000000125'],
  ["DELETE WHERE a='$text' -- $text", "DELETE WHERE a='$text' -- $text"],
  ['DELETE WHERE a=$cr', undefined],
  ['DELETE WHERE a=$list', undefined],
  ['DELETE WHERE a=$none', undefined],
];

describe('influxql: writing parameters into a statement', () => {
  for (const [statement, written] of ROWS) {
    it(`writes ${statement}${written === undefined ? ' not at all' : ''}`, () => {
      expect(withParams(statement, PARAMS)).to.equal(written);
    });
  }

  it('makes the same statement, in kind, sources and times', () => {
    for (const statement of [
      'SELECT mean(a) FROM $name, $regex WHERE time > $big - $time AND b = $text LIMIT 5',
      'CREATE USER $name WITH PASSWORD $text WITH ALL PRIVILEGES',
      'CREATE RETENTION POLICY $name ON d DURATION $time REPLICATION 3',
    ]) {
      const [one] = statements(statement);
      const [other] = statements(withParams(statement, PARAMS) ?? '');
      expect({ ...other, text: '' }, statement).to.deep.equal({ ...one, text: '' });
    }
  });
});

function statements(text: string) {
  const parsed = parseQuery(text, PARAMS);
  if (parsed.kind !== 'parsed') throw new Error(`${text}: ${parsed.why}`);
  return parsed.statements;
}
