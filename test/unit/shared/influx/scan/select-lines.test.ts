import { expect } from 'chai';
import fc from 'fast-check';
import type { Precision } from '../../../../../shared/influx/precision.js';
import { LineScanner } from '../../../../../shared/influx/scan/line-scanner.js';
import type { ScannedLines } from '../../../../../shared/influx/scan/scanned-lines.js';
import { selectLines } from '../../../../../shared/influx/scan/select-lines.js';
import { oddBody } from '../../../../support/odd-lines.js';

const NOW_NS = 5_000_000_000n;

function scan(body: string | Buffer, precision: Precision = 'n'): ScannedLines {
  return new LineScanner({ precision, defaultTimeNs: NOW_NS }).scan(Buffer.from(body));
}

function selected(body: string, indices?: number[]): string {
  return selectLines(scan(body), indices).toString();
}

describe('selecting lines of a body', () => {
  it('gives the very body where it is all lines, all good and all with a time', () => {
    for (const end of ['', '\n']) {
      const lines = scan(`a f=1 1\nb s="x\ny" 2  \nc f=1 3${end}`);
      expect(selectLines(lines)).to.equal(lines.body);
      expect(selectLines(lines, [0, 1, 2])).to.equal(lines.body);
    }
  });

  it('takes the lines asked for, without comments, blank lines and lines with faults', () => {
    const body = '# c\na f=1 1\n\nb f=1 2\nbad\nc f=1 3\n  d f=1 4\n#';
    expect(selected(body)).to.equal('a f=1 1\nb f=1 2\nc f=1 3\nd f=1 4');
    expect(selected(body, [1, 3])).to.equal('b f=1 2\nd f=1 4');
    expect(selected(body, [])).to.equal('');
    expect(selected('bad')).to.equal('');
  });

  it('puts the time of the request, in its precision, behind lines that have none', () => {
    expect(selected('a f=1\nb f=1 2\nc s="#"  \n')).to.equal(
      'a f=1 5000000000\nb f=1 2\nc s="#" 5000000000',
    );
    expect(selectLines(scan('a f=1\nb f=1 2', 's')).toString()).to.equal('a f=1 5\nb f=1 2');
  });

  it('makes a body of which each line is the same point', () => {
    fc.assert(
      fc.property(oddBody, fc.func(fc.boolean()), (body, isTaken) => {
        const lines = scan(body);
        const indices = Uint32Array.from({ length: lines.points }, (_, line) => line).filter(
          (line) => isTaken(line),
        );
        const again = scan(selectLines(lines, indices));
        expect(again.failed).to.equal(0);
        expect(again.points).to.equal(indices.length);
        indices.forEach((line, at) => {
          expect(again.hasTime(at)).to.equal(true);
          expect(again.timeNs(at)).to.equal(lines.timeNs(line));
          expect(again.shapes[at]).to.equal(lines.shapes[line]);
          expect(again.seriesKey(at).equals(lines.seriesKey(line))).to.equal(true);
          expect(again.text(at).startsWith(lines.text(line))).to.equal(true);
        });
      }),
      { numRuns: 500 },
    );
  });
});
