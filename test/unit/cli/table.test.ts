// Tables and ages.
import { expect } from 'chai';
import { age } from '../../../cli/output/age.js';
import { renderFields, renderTable } from '../../../cli/output/table.js';

describe('renderTable', () => {
  it('pads columns, puts numbers to the right, and ends no line with spaces', () => {
    const rows = [
      { name: 'a', n: 5 },
      { name: 'længer 🙂', n: 12_345 },
    ];
    const text = renderTable(rows, [
      { title: 'name', value: (row) => row.name },
      { title: 'n', value: (row) => row.n, align: 'right' },
      { title: 'note', value: () => undefined },
    ]);
    expect(text.split('\n')).to.deep.equal([
      'NAME          N  NOTE',
      'a             5  -',
      'længer 🙂  12345  -',
    ]);
  });

  it('shows the head alone where there is nothing', () => {
    expect(renderTable([], [{ title: 'a', value: () => 1 }])).to.equal('A');
  });

  it('keeps control characters from the terminal', () => {
    expect(renderFields([['host', 'a\u001b[31m\nb']])).to.equal('host: a\\u001b[31m\\nb');
  });
});

describe('age', () => {
  const now = Date.UTC(2026, 0, 10);
  const cases: [string, string][] = [
    ['2026-01-09T23:59:57Z', '3s'],
    ['2026-01-09T23:55:00Z', '5m'],
    ['2026-01-09T22:00:00Z', '2h'],
    ['2026-01-01T00:00:00Z', '9d'],
    ['2027-01-01T00:00:00Z', '0s'],
    ['', '-'],
    ['soon', 'soon'],
  ];
  for (const [time, text] of cases) {
    it(`shows ${JSON.stringify(time)} as ${text}`, () => {
      expect(age(time, now)).to.equal(text);
    });
  }
});
