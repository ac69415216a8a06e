import { expect } from 'chai';
import fc from 'fast-check';
import type { FieldValue, Point } from '../../../../shared/influx/encode-point.js';
import { encodePoint } from '../../../../shared/influx/encode-point.js';
import { MAX_TIME_NS, MIN_TIME_NS } from '../../../../shared/influx/group-time.js';
import { pointView } from '../../../../shared/influx/point-view.js';
import {
  BOOLEAN,
  FLOAT,
  INTEGER,
  walkFields,
} from '../../../../shared/influx/scan/exact-fields.js';
import { LineScanner } from '../../../../shared/influx/scan/line-scanner.js';
import { unescapeName, unescapeString } from '../../../../shared/influx/scan/unescape.js';

const ONE: FieldValue = { type: 'float', value: 1 };

function point(parts: Partial<Point> = {}): Point {
  return {
    measurement: 'm',
    tags: new Map(),
    fields: new Map([['f', ONE]]),
    timeNs: 1n,
    ...parts,
  };
}

function encoded(parts: Partial<Point>): string | undefined {
  return encodePoint(point(parts))?.toString();
}

/** What a line's fields say, by influxd's way of looking at them. */
function fieldsOf(line: Buffer): [string, FieldValue][] {
  const start = line.indexOf(' ', keyEndOf(line)) + 1;
  const end = line.lastIndexOf(' ');
  const keys: [start: number, end: number, type: number][] = [];
  walkFields(line, start, end, (...key) => keys.push(key));
  return keys.map(([keyStart, keyEnd, type], at) => {
    const raw = line.toString('utf8', keyEnd + 1, (keys[at + 1]?.[0] ?? end + 1) - 1);
    return [unescapeName(line.toString('utf8', keyStart, keyEnd)), valueOf(type, raw)];
  });
}

function keyEndOf(line: Buffer): number {
  return new LineScanner({ precision: 'n', defaultTimeNs: 0n }).scan(line).keyEnds[0]!;
}

function valueOf(type: number, raw: string): FieldValue {
  if (type === FLOAT) return { type: 'float', value: Number(raw) };
  if (type === INTEGER) return { type: 'integer', value: BigInt(raw.slice(0, -1)) };
  if (type === BOOLEAN) return { type: 'boolean', value: raw === 'true' };
  return { type: 'string', value: unescapeString(raw.slice(1, -1)) };
}

const text = fc.string({
  unit: fc.constantFrom('a', 'é', ',', ' ', '=', '"', '\\', '#', '\n', '\t'),
});
const value: fc.Arbitrary<FieldValue> = fc.oneof(
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map((number) => ({ type: 'float' as const, value: number })),
  fc
    .bigInt(-(2n ** 63n), 2n ** 63n - 1n)
    .map((number) => ({ type: 'integer' as const, value: number })),
  text.map((string) => ({ type: 'string' as const, value: string })),
  fc.boolean().map((flag) => ({ type: 'boolean' as const, value: flag })),
);
const anyPoint = fc.record({
  measurement: text,
  tags: fc.array(fc.tuple(text, text), { maxLength: 3 }).map((tags) => new Map(tags)),
  fields: fc.array(fc.tuple(text, value), { maxLength: 3 }).map((fields) => new Map(fields)),
  timeNs: fc.bigInt(MIN_TIME_NS, MAX_TIME_NS),
});

describe('encoding points', () => {
  it('writes names, tags and values with the escapes that they need', () => {
    const fields = new Map<string, FieldValue>([
      ['f 1', { type: 'float', value: -0.5 }],
      ['i,=', { type: 'integer', value: 2n ** 63n - 1n }],
      ['s', { type: 'string', value: 'a "b"\n\\c' }],
      ['b', { type: 'boolean', value: true }],
    ]);
    const tags = new Map([
      ['z', 'a b'],
      ['a=', '\\\\x'],
      ['empty', ''],
    ]);
    expect(encoded({ measurement: 'c,p u=', tags, fields, timeNs: -3n })).to.equal(
      'c\\,p\\ u=,a\\==\\\\x,z=a\\ b f\\ 1=-0.5,i\\,\\==9223372036854775807i,s="a \\"b\\"\n\\\\c",b=true -3',
    );
    for (const [number, written] of [
      [1e21, '1e+21'],
      [1e-7, '1e-7'],
      [-0, '-0'],
      [5e-324, '5e-324'],
    ] as const) {
      expect(encoded({ fields: new Map([['f', { type: 'float', value: number }]]) })).to.equal(
        `m f=${written} 1`,
      );
    }
  });

  it('says so where line protocol has no words for it', () => {
    const field = (each: FieldValue) => ({ fields: new Map([['f', each]]) });
    const none: Partial<Point>[] = [
      { measurement: '' },
      { measurement: '#m' },
      { measurement: 'a\nb' },
      { measurement: 'a\\' },
      { tags: new Map([['', 'x']]) },
      { tags: new Map([['t', 'x\\']]) },
      { tags: new Map(Array.from({ length: 100 }, (_, at) => [`t${at}`, 'x'])) },
      { fields: new Map() },
      { fields: new Map([['', ONE]]) },
      { fields: new Map([['f\\', ONE]]) },
      { tags: new Map([['t', 'x'.repeat(65_527)]]) },
      field({ type: 'float', value: NaN }),
      field({ type: 'float', value: Infinity }),
      field({ type: 'integer', value: 2n ** 63n }),
      { timeNs: MAX_TIME_NS + 1n },
      { timeNs: MIN_TIME_NS - 1n },
    ];
    for (const parts of none) expect(encoded(parts), Object.keys(parts).join()).to.equal(undefined);
    expect(encoded({ tags: new Map([['t', 'x'.repeat(65_526)]]) })).to.be.a('string');
  });

  it('is read back as the same point, alone and between others', () => {
    const scanner = new LineScanner({ precision: 'n', defaultTimeNs: 0n });
    fc.assert(
      fc.property(anyPoint, (each) => {
        const line = encodePoint(each);
        if (line === undefined) return;
        const around = Buffer.from('other f=1 1');
        const lines = scanner.scan(Buffer.from([...around, 10, ...line, 10, ...around]));
        expect([lines.points, lines.failed], line.toString()).to.deep.equal([3, 0]);
        const view = pointView(lines, 1);
        expect(view.measurement).to.equal(each.measurement);
        expect(view.timeNs).to.equal(each.timeNs);
        const tags = [...each.tags].filter(([, content]) => content !== '');
        expect([...view.tags].sort()).to.deep.equal(tags.sort());
        expect(lines.seriesKey(1).length).to.equal(lines.keyEnds[1]! - lines.starts[1]!);
        expect(fieldsOf(line)).to.deep.equal([...each.fields]);
      }),
      { numRuns: 1_000 },
    );
  });
});
