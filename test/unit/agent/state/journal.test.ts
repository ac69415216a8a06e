// The journal loses nothing that it acknowledged, whenever the machine stops, and never resets a damaged state.
import { copyFile, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Journal, JournalOptions } from '../../../../agent/state/journal.js';
import { openJournal } from '../../../../agent/state/journal.js';
import { isAppError } from '../../../../shared/errors/app-error.js';
import type { TemporaryDirectory } from '../../../support/temp-dir.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';
import type { Survival } from './crashing-files.js';
import { CrashingFiles } from './crashing-files.js';

type Numbers = Journal<readonly number[], number>;

function options(directory: string, more: Partial<JournalOptions<readonly number[], number>> = {}) {
  return {
    directory,
    name: 'numbers',
    initial: [] as readonly number[],
    reduce: (state: readonly number[], record: number) => {
      (state as number[]).push(record); // in place, as the base does
      return state;
    },
    encodeState: (state: readonly number[]) => state,
    decodeState: (value: unknown) => value as number[],
    encodeRecord: (record: number) => ({ n: record }),
    decodeRecord: (value: unknown) => {
      const { n } = value as { n?: unknown };
      if (typeof n !== 'number') throw new Error('no number');
      return n;
    },
    rewriteAfterBytes: 1e6,
    ...more,
  };
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

async function errorOf(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await promise;
  } catch (error) {
    if (isAppError(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** Appends 0, 1, 2 … in bundles of concurrent appends until one fails; how many were issued and acknowledged. */
async function appendBundles(journal: Numbers, from: number, bundles: readonly number[]) {
  let issued = from;
  let acknowledged = from;
  for (const size of bundles) {
    const numbers = Array.from({ length: size }, () => issued++);
    const results = await Promise.allSettled(numbers.map((number) => journal.append([number])));
    acknowledged += results.filter(({ status }) => status === 'fulfilled').length;
    if (results.some(({ status }) => status === 'rejected')) break;
  }
  return { issued, acknowledged };
}

describe('the journal', () => {
  let directory: TemporaryDirectory;
  beforeEach(async () => {
    directory = await temporaryDirectory('journal');
  });
  afterEach(async () => {
    await directory.remove();
  });

  it('has its state again after it was opened anew', async () => {
    const first = await openJournal(options(directory.path));
    await first.append([0, 1]);
    await Promise.all([first.append([2]), first.append([3]), first.append([])]);
    expect(first.state).to.deep.equal(upTo(4));
    await first.close();
    const second = await openJournal(options(directory.path));
    expect(second.state).to.deep.equal(upTo(4));
    await second.close();
    expect((await stat(join(directory.path, 'numbers.log'))).mode & 0o777).to.equal(0o600);
  });

  it('goes on in a fresh log after a rewrite', async () => {
    const rewriting = options(directory.path, { rewriteAfterBytes: 100 });
    const first = await openJournal(rewriting);
    for (const number of upTo(50)) await first.append([number]);
    await first.close();
    expect((await stat(join(directory.path, 'numbers.log'))).size).to.be.lessThan(200);
    const second = await openJournal(rewriting);
    expect(second.state).to.deep.equal(upTo(50));
    await second.append([50]);
    await second.close();
    expect((await openJournalAndClose(rewriting)).length).to.equal(51);
  });

  it('shares one fsync between concurrent appends', async () => {
    let syncs = 0;
    const mounted = new CrashingFiles().mount();
    const counting = {
      ...mounted,
      open: async (path: string) => {
        const file = await mounted.open(path);
        return { ...file, sync: () => (++syncs, file.sync()) };
      },
    };
    const journal = await openJournal(options('/state', { files: counting }));
    await Promise.all(upTo(100).map((number) => journal.append([number])));
    expect(syncs).to.be.at.most(2);
    expect(journal.state).to.deep.equal(upTo(100));
  });

  it('keeps all that was acknowledged at every byte at which the last write may end', async () => {
    const journal = await openJournal(options(directory.path));
    const log = join(directory.path, 'numbers.log');
    const ends = [(await stat(log)).size];
    for (const number of upTo(4)) {
      await journal.append([number]);
      ends.push((await stat(log)).size);
    }
    await journal.close();
    const whole = await readFile(log);
    for (let length = ends[0]!; length <= whole.length; length++) {
      await writeFile(log, whole.subarray(0, length));
      const acknowledged = ends.filter((end) => end <= length).length - 1;
      const reopened = await openJournal(options(directory.path));
      expect(reopened.state, `cut at byte ${length}`).to.deep.equal(upTo(acknowledged));
      await reopened.append([acknowledged]);
      await reopened.close();
      expect(await openJournalAndClose(options(directory.path))).to.deep.equal(
        upTo(acknowledged + 1),
      );
    }
  });

  it('is in a state that includes all acknowledged appends, wherever the machine stops', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            bundles: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 6 }),
            crashAfter: fc.integer({ min: 1, max: 40 }),
            survival: fc.constantFrom<Survival>('lost', 'kept', 'torn', 'process'),
          }),
          { minLength: 1, maxLength: 4 },
        ),
        async (lives) => {
          const files = new CrashingFiles();
          const crashing = () => options('/state', { files: files.mount(), rewriteAfterBytes: 60 });
          let known = 0;
          for (const { bundles, crashAfter, survival } of lives) {
            files.crashAfter(crashAfter);
            const journal = await openJournal(crashing()).catch(() => undefined);
            const done = journal && (await appendBundles(journal, known, bundles));
            files.restart(survival);
            const after = await openJournal(crashing());
            expect(after.state).to.deep.equal(upTo(after.state.length));
            expect(after.state.length).to.be.within(
              done?.acknowledged ?? known,
              done?.issued ?? known,
            );
            known = after.state.length;
            await after.close();
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('takes more after the disk was full, and acknowledges nothing meanwhile', async () => {
    const files = new CrashingFiles();
    const journal = await openJournal(options('/state', { files: files.mount() }));
    await journal.append([0]);
    files.failing = { write: true };
    const { code, message } = await errorOf(journal.append([99]));
    expect(code).to.equal('state-unwritable');
    expect(message).to.include('no space left').and.include('--state-dir');
    expect(journal.state).to.deep.equal([0]);
    files.failing = {};
    await journal.append([1]);
    await journal.close();
    expect(await openJournalAndClose(options('/state', { files: files.mount() }))).to.deep.equal([
      0, 1,
    ]);
  });

  it('takes nothing more after a failed fsync', async () => {
    const files = new CrashingFiles();
    const journal = await openJournal(options('/state', { files: files.mount() }));
    files.failing = { sync: true };
    await errorOf(journal.append([0]));
    files.failing = {};
    expect(await errorOf(journal.append([1]))).to.have.property('code', 'state-unwritable');
    expect(journal.state).to.deep.equal([]);
  });

  it('goes on with the old log when there is no room for a rewrite, and says so', async () => {
    const files = new CrashingFiles();
    const notices: string[] = [];
    const full = options('/state', {
      files: files.mount(),
      rewriteAfterBytes: 60,
      onNotice: (message) => notices.push(message),
    });
    const journal = await openJournal(full);
    files.failing = { writeDurably: true };
    for (const number of upTo(5)) await journal.append([number]);
    expect(notices).to.include('rewriting the journal failed');
    files.failing = {};
    for (const number of upTo(10)) await journal.append([number + 5]);
    await journal.close();
    expect(await openJournalAndClose(full)).to.deep.equal(upTo(15));
  });

  it('takes nothing more when a rewrite failed between its renames, and is whole after a restart', async () => {
    const files = new CrashingFiles();
    const journal = await openJournal(
      options('/state', { files: files.mount(), rewriteAfterBytes: 60 }),
    );
    files.failing = { rename: true };
    const { acknowledged } = await appendBundles(journal, 0, [1, 1, 1, 1, 1, 1]);
    expect(await errorOf(journal.append([7]))).to.have.property('code', 'state-unwritable');
    files.failing = {};
    expect(await openJournalAndClose(options('/state', { files: files.mount() }))).to.deep.equal(
      upTo(acknowledged),
    );
  });

  it('refuses an append after it was closed', async () => {
    const journal = await openJournal(options(directory.path));
    await journal.close();
    expect((await errorOf(journal.append([1]))).message).to.include('closed');
  });

  describe('with damaged files', () => {
    const damages: Record<string, (directory: string) => Promise<void>> = {
      'a record in the middle': (path) =>
        patch(join(path, 'numbers.log'), (text) => text.replace('"n":12', '"n":77')),
      'a snapshot': (path) => patch(join(path, 'numbers.json'), (text) => text.replace('3,', '4,')),
      'a truncated snapshot': (path) =>
        patch(join(path, 'numbers.json'), (text) => text.slice(0, -5)),
      'an empty log': (path) => patch(join(path, 'numbers.log'), () => ''),
      'a snapshot of another time': (path) =>
        patch(join(path, 'numbers.json'), (text) =>
          text.replace('"generation":2', '"generation":9'),
        ),
      'records of an unknown form': async (path) => {
        const other = join(path, 'other');
        await mkdir(other);
        const strange = await openJournal(
          options(other, { encodeRecord: (n) => ({ unknown: n }) }),
        );
        await strange.append([1]);
        await strange.close();
        await copyFile(join(other, 'numbers.log'), join(path, 'numbers.log'));
        await rename(join(path, 'numbers.json'), join(path, 'gone.json'));
      },
      'a lost log': (path) => rename(join(path, 'numbers.log'), join(path, 'gone.log')),
    };

    for (const [what, damage] of Object.entries(damages)) {
      it(`refuses ${what}, names the file and the way out, and changes nothing`, async () => {
        const rewriting = options(directory.path, { rewriteAfterBytes: 150 });
        const journal = await openJournal(rewriting);
        for (const number of upTo(14)) await journal.append([number]);
        await journal.close();
        await damage(directory.path);
        const before = await readFile(join(directory.path, 'numbers.json')).catch(() => 'none');
        const { code, message } = await errorOf(openJournal(rewriting));
        expect(code).to.equal('state-not-current');
        expect(message).to.include(directory.path).and.include('clusterflux agent rejoin');
        const after = await readFile(join(directory.path, 'numbers.json')).catch(() => 'none');
        expect(after).to.deep.equal(before);
      });
    }
  });
});

async function openJournalAndClose(
  opening: JournalOptions<readonly number[], number>,
): Promise<readonly number[]> {
  const journal = await openJournal(opening);
  await journal.close();
  return journal.state;
}

async function patch(path: string, change: (text: string) => string): Promise<void> {
  const before = await readFile(path, 'utf8');
  const after = change(before);
  expect(after, 'the damage must change something').to.not.equal(before);
  await writeFile(path, after);
}
