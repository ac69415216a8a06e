import { expect } from 'chai';
import { pointView } from '../../../../shared/influx/point-view.js';
import { LineScanner } from '../../../../shared/influx/scan/line-scanner.js';

function view(line: string) {
  const scanner = new LineScanner({ precision: 's', defaultTimeNs: 7_500_000_000n });
  return pointView(scanner.scan(Buffer.from(`other f=1\n${line}`)), 1);
}

describe('a point as people see it', () => {
  it('has its names and tags without escapes', () => {
    const point = view('c\\,p\\ u\\=x,b\\=c=1\\,2,a=\\x\\\\y\\ z f=1 3');
    expect(point.measurement).to.equal('c,p u=x');
    expect([...point.tags]).to.deep.equal([
      ['b=c', '1,2'],
      ['a', '\\x\\\\y z'],
    ]);
    expect([point.tag('b=c'), point.tag('none')]).to.deep.equal(['1,2', '']);
    expect(point.timeNs).to.equal(3_000_000_000n);
  });

  it("has the request's time where it has none, and may have no tags", () => {
    const point = view('höhe f=1');
    expect([point.measurement, point.tags.size, point.timeNs]).to.deep.equal([
      'höhe',
      0,
      7_000_000_000n,
    ]);
  });
});
