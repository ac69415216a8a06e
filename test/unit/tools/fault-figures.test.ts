// The figures of the fault suite as tables: one for faults under statements, one for faults under points.
import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temp-dir.js';

const TOOL = new URL('../../../tools/fault-figures.mjs', import.meta.url).href;

const STATEMENTS = { acknowledged: 10, versions: 3, convergedMs: 1_200, complaints: 0 };
const POINTS = {
  ...{ batches: 20, points: 900, reads: 70, missed: 0 },
  ...{ unservedMs: 300, healedMs: 1_500, complaints: 0 },
};

describe('the tables of figures', () => {
  let directory: TemporaryDirectory;
  before(async () => {
    directory = await temporaryDirectory('figures');
  });
  after(() => directory.remove());

  async function tableOf(...figures: readonly object[]): Promise<string> {
    const file = join(directory.path, 'figures.jsonl');
    await writeFile(file, figures.map((figure) => `${JSON.stringify(figure)}\n`).join(''));
    const { figuresTable } = (await import(TOOL)) as { figuresTable: (path: string) => string };
    return figuresTable(file);
  }

  it('sum up each fault and all, most often tried first', async () => {
    const table = await tableOf(
      { fault: 'b', ...STATEMENTS },
      { fault: 'a', ...STATEMENTS, convergedMs: 3_000 },
      { fault: 'b', ...STATEMENTS, convergedMs: 2_000 },
    );
    expect(table.split('\n')).to.deep.equal([
      '| fault | tried | statements | versions | complaints | median s | worst s |',
      '| --- | --- | --- | --- | --- | --- | --- |',
      '| b | 2 | 20 | 6 | 0 | 2.0 | 2.0 |',
      '| a | 1 | 10 | 3 | 0 | 3.0 | 3.0 |',
      '| all | 3 | 30 | 9 | 0 | 2.0 | 3.0 |',
    ]);
  });

  it('have points in a table of their own', async () => {
    const both = await tableOf({ fault: 'a', ...STATEMENTS }, { fault: 'p', ...POINTS });
    const [, table] = both.split('\n\n');
    expect(table?.split('\n')).to.deep.equal([
      '| fault | tried | batches | points | reads | missed | complaints | without a read s | median s | worst s |',
      '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
      '| p | 1 | 20 | 900 | 70 | 0 | 0 | 0.3 | 1.5 | 1.5 |',
      '| all | 1 | 20 | 900 | 70 | 0 | 0 | 0.3 | 1.5 | 1.5 |',
    ]);
    expect(await tableOf({ fault: 'p', ...POINTS })).to.equal(table);
  });
});
