// Any text at all: the parser answers, soon, and never by an exception.
import { expect } from 'chai';
import fc from 'fast-check';
import { deleteMatcher } from '../../../../../shared/influx/influxql/delete-matcher.js';
import { parseQuery } from '../../../../../shared/influx/influxql/parse.js';
import { resolveNow } from '../../../../../shared/influx/influxql/resolve-now.js';
import { mutations, ODDITIES, STATEMENTS } from '../../../../support/influxql-statements.js';

/** Slow machines with other tests beside: what is quadratic takes minutes. */
const SOON_MS = 2_000;
const LENGTH = 100_000;
const POINT = { measurement: 'cpu', tag: () => 'a', timeNs: 5n };

const LONG: readonly (readonly [string, string, string])[] = [
  ['', '(', ''],
  ['SELECT a FROM ', '(SELECT a FROM ', ''],
  ['SELECT a FROM m WHERE ', 'a = 1 AND ', 'time > 1'],
  ['DELETE FROM m WHERE ', "a = 'b' OR ", 'time > 1'],
  ['SELECT a FROM m WHERE time > ', '1 + ', '1'],
  ['SELECT ', 'a, ', 'a FROM m'],
  ['SELECT ', '-(', 'a FROM m'],
  ['SELECT ', 'f(', 'a FROM m'],
  ['SELECT ', '1', ' FROM m'],
  ['SELECT ', '1h', ' FROM m'],
  ["SELECT '", '\\\\', "' FROM m"],
  ['', '--\n', 'SHOW USERS'],
  ['', 'SHOW USERS;', ''],
  ['SELECT a FROM m WHERE ', 'a =~ /x{1,1000}/ AND ', 'b = 1'],
  ['DELETE WHERE ', 'a =~ /x{1,1000}/ AND ', "b = '1'"],
  ['SELECT a FROM m WHERE a =~ /', '(a|b)*', '/'],
  ['/*', '*', ''],
];

function exercise(text: string): void {
  const parsed = parseQuery(text, { a: 'b' }, 0n);
  if (parsed.kind !== 'parsed') return;
  for (const statement of parsed.statements) {
    expect(text).to.include(statement.text);
    const again = parseQuery(statement.text, { a: 'b' }, 0n);
    expect(again, statement.text).to.deep.equal({ kind: 'parsed', statements: [statement] });
    if (statement.kind === 'into') {
      const { kind, sources, bounds } = only(statement.select);
      expect(kind, statement.select).to.equal('select');
      expect({ sources, bounds }).to.deep.equal({
        sources: statement.sources,
        bounds: statement.bounds,
      });
    }
    if (statement.kind !== 'delete') continue;
    const resolved = resolveNow(statement.text, 5n, { a: 'b' });
    if (resolved !== undefined) deleteMatcher(resolved).matches(POINT);
  }
}

function only(text: string): { kind: string; sources?: unknown; bounds?: unknown } {
  const parsed = parseQuery(text, { a: 'b' }, 0n);
  if (parsed.kind !== 'parsed' || parsed.statements.length !== 1) throw new Error(text);
  return parsed.statements[0]!;
}

describe('influxql: any text', () => {
  it('is parsed or refused, and each statement alone is what it was among others', () => {
    const texts = [
      ...STATEMENTS,
      ...ODDITIES,
      ...mutations([...STATEMENTS, ...ODDITIES], 1_000, 3),
    ];
    texts.forEach(exercise);
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...texts), { maxLength: 4 }), (some) => {
        exercise(some.join(';'));
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('of any characters ends in an answer', () => {
    const odd = fc.constantFrom(
      '"',
      "'",
      '/',
      '\\',
      ';',
      '\0',
      '\r',
      '\n',
      '-',
      '*',
      '$',
      '\ud800',
      'SELECT ',
      ' FROM ',
    );
    const text = fc.array(fc.oneof(odd, fc.string({ maxLength: 5 })), { maxLength: 30 });
    fc.assert(
      fc.property(text, (parts) => exercise(parts.join(''))),
      { numRuns: 1_000, seed: 2 },
    );
  });

  for (const [head, body, tail] of LONG) {
    it(`of 100 KB is answered soon: ${head}${body.trim()}...`, () => {
      const text = head + body.repeat(LENGTH / body.length) + tail;
      const start = performance.now();
      parseQuery(text, {}, 0n);
      const resolved = resolveNow(text, 0n);
      if (resolved !== undefined) deleteMatcher(resolved).matches(POINT);
      expect(performance.now() - start).to.be.below(SOON_MS);
    });
  }
});
