// Bodies of line protocol after deletes; which points a delete matches is compared with a real influxd in test/contract.
import { expect } from 'chai';
import { afterDeletes } from '../../../../../shared/influx/influxql/after-deletes.js';
import { deleteMatcher } from '../../../../../shared/influx/influxql/delete-matcher.js';

const BODY = Buffer.from('cpu,host=a v=1 1\ncpu,host=b v="x\ny" 2\nmem,ho\\ st=a\\,b v=3 3');

function left(statements: readonly string[], precision: 'n' | 's' = 'n'): string[] {
  const after = afterDeletes(BODY, precision, statements.map(deleteMatcher));
  expect(after.removed).to.equal(3 - countOf(after.body));
  return after.body.toString().split(/\n(?=\w+,)/);
}

function countOf(body: Buffer): number {
  return body.toString().match(/(?:^|\n)\w+,/g)?.length ?? 0;
}

describe('influxql: line protocol after deletes', () => {
  it('is the same buffer where nothing was matched', () => {
    const matchers = [deleteMatcher('DELETE FROM disk'), deleteMatcher('DELETE WHERE time > 3')];
    expect(afterDeletes(BODY, 'n', matchers).body).to.equal(BODY);
    expect(afterDeletes(BODY, 'n', []).body).to.equal(BODY);
  });

  it('lacks what any of the deletes matched, and keeps the rest as it was written', () => {
    expect(left(["DELETE WHERE host = 'a'"])).to.deep.equal([
      'cpu,host=b v="x\ny" 2',
      'mem,ho\\ st=a\\,b v=3 3',
    ]);
    expect(
      left(['DELETE WHERE "ho st" = \'a,b\'', 'DELETE FROM /c/ WHERE time < 2']),
    ).to.deep.equal(['cpu,host=b v="x\ny" 2']);
    expect(left(['DROP SERIES FROM cpu', 'DROP MEASUREMENT mem'])).to.deep.equal(['']);
  });

  it('takes times in the precision that they have', () => {
    expect(left(['DELETE WHERE time >= 2s'], 's')).to.deep.equal(['cpu,host=a v=1 1']);
  });

  it('loses nothing by a statement that influxd refuses, or that is no delete', () => {
    for (const text of [
      'DELETE WHERE v > 1',
      'DROP SERIES WHERE time > 0',
      'SELECT a FROM cpu',
      'x',
    ]) {
      expect(afterDeletes(BODY, 'n', [deleteMatcher(text)]).removed, text).to.equal(0);
    }
  });
});
