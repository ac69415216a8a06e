import { expect } from 'chai';
import fc from 'fast-check';
import type { Precision } from '../../../../../shared/influx/precision.js';
import { NS_PER_UNIT } from '../../../../../shared/influx/precision.js';
import { exactLine } from '../../../../../shared/influx/scan/exact-line.js';
import { lineEnd } from '../../../../../shared/influx/scan/line-end.js';
import type { ScanOptions } from '../../../../../shared/influx/scan/line-scanner.js';
import { LineScanner } from '../../../../../shared/influx/scan/line-scanner.js';
import type { ScannedLines } from '../../../../../shared/influx/scan/scanned-lines.js';
import { TIME_SLACK_NS } from '../../../../../shared/influx/scan/scanned-lines.js';
import { oddBody, ordinaryLine } from '../../../../support/odd-lines.js';

const NOW_NS = 1_700_000_000_123_456_789n;

function scan(body: string | Buffer, options: Partial<ScanOptions> = {}): ScannedLines {
  const scanner = new LineScanner({ precision: 'n', defaultTimeNs: NOW_NS, ...options });
  return scanner.scan(Buffer.from(body));
}

/** The only error of a body without a good line, without the line in it. */
function faultOf(line: string): string | undefined {
  const lines = scan(line);
  expect(lines.points + lines.failed, JSON.stringify(line)).to.equal(1);
  return lines.errors[0]?.text.slice(`unable to parse '${line}': `.length);
}

function shapeOf(line: string): number | undefined {
  return scan(line).shapes[0];
}

describe('scanning line protocol', () => {
  it('finds the parts of lines', () => {
    const body = 'cpu,host=a v=1,w=2i 1700000000000000001\n\nmem s="x\ny" \n# no line\nm\\ x f=t';
    const lines = scan(body);
    expect(lines.points).to.equal(3);
    expect([0, 1, 2].map((line) => lines.text(line))).to.deep.equal([
      'cpu,host=a v=1,w=2i 1700000000000000001',
      'mem s="x\ny"',
      'm\\ x f=t',
    ]);
    expect([0, 1, 2].map((line) => lines.seriesKey(line).toString())).to.deep.equal([
      'cpu,host=a',
      'mem',
      'm\\ x',
    ]);
    expect([0, 1, 2].map((line) => lines.hasTime(line))).to.deep.equal([true, false, false]);
    expect([0, 1].map((line) => lines.timeNs(line))).to.deep.equal([
      1_700_000_000_000_000_001n,
      NOW_NS,
    ]);
    expect(lines.errors).to.deep.equal([]);
  });

  it('knows times of all precisions to the nanosecond, and as a double nearly', () => {
    const units: Precision[] = ['n', 'u', 'ms', 's', 'm', 'h'];
    fc.assert(
      fc.property(
        fc.constantFrom(...units),
        fc.bigInt(-(2n ** 63n), 2n ** 63n),
        (precision, count) => {
          const lines = scan(`m f=1 ${count.toString()}  `, { precision });
          const timeNs = count * NS_PER_UNIT[precision];
          const isIn = timeNs > -(2n ** 63n) + 1n && timeNs < 2n ** 63n - 1n;
          expect(lines.points).to.equal(isIn ? 1 : 0);
          if (!isIn) return;
          expect(lines.timeNs(0)).to.equal(timeNs);
          expect(Math.abs(Number(BigInt(lines.times[0]!) - timeNs))).to.be.at.most(TIME_SLACK_NS);
        },
      ),
    );
  });

  it('cuts the time of lines without one to the precision, downwards', () => {
    expect(scan('m f=1', { precision: 's' }).timeNs(0)).to.equal(1_700_000_000_000_000_000n);
    expect(scan('m f=1', { precision: 'u' }).timeNs(0)).to.equal(1_700_000_000_123_456_000n);
    expect(scan('m f=1', { precision: 's', defaultTimeNs: -1n }).timeNs(0)).to.equal(
      -1_000_000_000n,
    );
  });

  it('says why a line is none in the words of influxd', () => {
    const faults: Record<string, string> = {
      m: 'missing fields',
      ',a=1 f=1': 'missing measurement',
      'm,=1 f=1': 'missing tag key',
      'm, f=1': 'missing tag key',
      'm,a f=1': 'missing tag value',
      'm,a= f=1': 'missing tag value',
      'm,a=1=2 f=1': 'invalid tag format',
      'm,a=1,b=2,a=3 f=1': 'duplicate tags',
      'm,b=1,a=2,b=3 f=1': 'duplicate tags',
      'm =1': 'missing field key',
      'm f=1,=2': 'missing field key',
      'm f=': 'missing field value',
      'm f=,g=1': 'missing field value',
      'm f': 'invalid field format',
      'm f=1,g': 'invalid field format',
      'm f="x': 'unbalanced quotes',
      'm f=x': 'invalid boolean',
      'm f=trUe': 'invalid boolean',
      'm f=1.1.1': 'invalid number',
      'm f=5u': 'invalid number',
      'm f=NaN': 'invalid number',
      'm f=1e': 'invalid float',
      'm f=1e400': 'invalid float',
      'm f=9223372036854775808i':
        'unable to parse integer 9223372036854775808: strconv.ParseInt: parsing "9223372036854775808": value out of range',
      'm f=1 1x': 'bad timestamp',
      'm f=1 1\r': 'bad timestamp',
      'm f=1 1 2': 'point is invalid',
      'm f=1 -': 'strconv.ParseInt: parsing "-": invalid syntax',
      'm f=1 9223372036854775807': 'time outside range -9223372036854775806 - 9223372036854775806',
      [`m,t=${'x'.repeat(65_600)} f=1`]: 'max key length exceeded: 65604 > 65535',
      [`m,t=${'x'.repeat(65_520)} ${'f'.repeat(20)}=1`]: 'max key length exceeded: 65548 > 65535',
    };
    for (const [line, fault] of Object.entries(faults)) {
      expect(faultOf(line), JSON.stringify(line).slice(0, 60)).to.equal(fault);
    }
  });

  it('refuses what influxd takes and then fails with', () => {
    const tags = (count: number) => Array.from({ length: count }, (_, at) => `,t${at}=v`).join('');
    for (const count of [99, 101, 199, 201])
      expect(faultOf(`m${tags(count)} f=1`)).to.equal(undefined);
    for (const count of [100, 200, 400]) {
      expect(faultOf(`m${tags(count)} f=1`)).to.match(new RegExp(`exactly ${count} tags crashes`));
    }
    expect(faultOf('m a=1,s\\\\="a,b=x" 7')).to.match(/field .*a,b has a value with which/);
    for (const bytes of [
      [0x6d, 0xff, ...Buffer.from(' f=1')],
      [...Buffer.from('m f'), 0xff, 0x3d, 0x31],
    ]) {
      expect(scan(Buffer.from(bytes)).errors[0]?.text).to.match(/have to be UTF-8/);
    }
    expect(
      scan(Buffer.from([...Buffer.from('m,t='), 0xff, ...Buffer.from(' f=1')])).points,
    ).to.equal(1);
  });

  it('refuses a line that would swallow the one behind it', () => {
    const lines = scan('m f=1 1\nm f="a"\\');
    expect([lines.points, lines.failed]).to.deep.equal([1, 1]);
    expect(lines.errors[0]?.text).to.match(/run into what follows/);
  });

  it('shows bytes that are no UTF-8 as Go does: a replacement for each', () => {
    const lines = scan(Buffer.from([0x6d, 0x20, 0xe2, 0x82, 0xc3, 0xa9]));
    expect(lines.errors[0]?.text).to.equal(
      "unable to parse 'm \ufffd\ufffdé': invalid field format",
    );
  });

  it('counts all faults, and tells of so many and so much of them', () => {
    const few = scan('x\n'.repeat(50), { maxErrors: 3 });
    expect([few.failed, few.errors.length]).to.deep.equal([50, 3]);
    const cut = scan(`${'x'.repeat(50)}\n${'y'.repeat(50)}\nz`, { maxErrorBytes: 60 });
    expect(cut.failed).to.equal(3);
    expect(cut.errors.map(({ text }) => text.length)).to.deep.equal([
      `unable to parse '${'x'.repeat(50)}': missing fields`.length,
      `unable to parse '${'y'.repeat(10)}...': missing fields`.length,
    ]);
  });

  it('gives lines one shape where measurement, field keys and types are the same', () => {
    const shape = shapeOf('cpu,host=a v=1,w=2i,s="x",b=t 1');
    for (const same of ['cpu v=-0.5,w=7i,s="",b=false', 'cpu,a=b,c=d v=1e3,w=0i,s="\\"",b=F 9']) {
      expect(shapeOf(same), same).to.equal(shape);
    }
    for (const other of [
      'cpu v=1',
      'cpx v=1,w=2i,s="x",b=t',
      'cpu v=1i,w=2i,s="x",b=t',
      'cpu w=2i,v=1,s="x",b=t',
    ]) {
      expect(shapeOf(other), other).to.not.equal(shape);
    }
    const shapes = Array.from({ length: 5_000 }, (_, at) => shapeOf(`m f${at}=1`));
    expect(new Set(shapes).size).to.equal(5_000);
    expect(shapes.every((each) => Number.isSafeInteger(each))).to.equal(true);
  });

  it('judges a line in the quick way as by all the rules', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          oddBody,
          ordinaryLine.map((line) => Buffer.from(line)),
        ),
        (body) => {
          const lines = scan(body);
          for (let line = 0; line < lines.points; line += 1) {
            const start = lines.starts[line]!;
            const exact = exactLine(body, start, lineEnd(body, start), 1n);
            if (typeof exact === 'string') return expect.fail(`${lines.text(line)}: ${exact}`);
            expect(exact.keyEnd).to.equal(lines.keyEnds[line]);
            expect(exact.end).to.equal(lines.ends[line]);
            expect(exact.shape).to.equal(lines.shapes[line]);
            expect(exact.timeNs ?? NOW_NS).to.equal(lines.timeNs(line));
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
