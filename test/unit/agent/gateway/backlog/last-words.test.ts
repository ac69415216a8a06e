// What peers hold for this node, over restarts.
import { writeFileSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { LAST_WORDS_FILE, LastWords } from '../../../../../agent/gateway/backlog/last-words.js';
import { NOTHING } from '../../../../../agent/gateway/backlog/news-wire.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../../support/temp-dir.js';

const some = (...groups: number[]) => ({ kind: 'some', groups: new Set(groups) }) as const;

describe('the last words of peers', () => {
  let directory: TemporaryDirectory;
  let path: string;
  beforeEach(async () => {
    directory = await temporaryDirectory('last-words');
    path = join(directory.path, LAST_WORDS_FILE);
  });
  afterEach(() => directory.remove());

  it('are nothing at first, and no file is written for that', async () => {
    const words = await LastWords.open(path);
    await words.note('a', NOTHING);
    expect([words.of('a'), await readdir(directory.path)]).to.deep.equal([NOTHING, []]);
  });

  it('outlive a start, then for every group, because later words may have named others', async () => {
    const words = await LastWords.open(path);
    await words.note('a', some(1));
    await words.note('b', some(2));
    await words.note('b', NOTHING);
    expect(words.of('a')).to.deep.equal(some(1));
    const again = await LastWords.open(path);
    expect([again.of('a').kind, again.of('b').kind]).to.deep.equal(['some', 'none']);
    expect(again.of('a')).to.have.property('groups', undefined);
  });

  it('name who could not tell an owner of its hints, over restarts, until it says otherwise', async () => {
    const words = await LastWords.open(path);
    await words.note('a', NOTHING, ['b', 'c']);
    await words.note('d', NOTHING, ['c']);
    expect(words.untoldHoldersOf('c')).to.deep.equal(['a', 'd']);
    const again = await LastWords.open(path);
    expect([again.untoldHoldersOf('b'), again.of('a')]).to.deep.equal([['a'], NOTHING]);
    const later = again.note('a', NOTHING, ['c']);
    expect(again.untoldHoldersOf('b'), 'not on disk yet').to.deep.equal(['a']);
    await later;
    expect([again.untoldHoldersOf('b'), again.untoldHoldersOf('c')]).to.deep.equal([
      [],
      ['d', 'a'].sort(),
    ]);
  });

  it('say that nothing is held only once that is on disk', async () => {
    const words = await LastWords.open(path);
    await words.note('a', some(1));
    await rm(directory.path, { recursive: true });
    const error = await words.note('a', NOTHING).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('code', 'state-unwritable');
    expect(words.of('a').kind).to.equal('some');
    await mkdir(directory.path);
    await words.note('a', NOTHING);
    expect(words.of('a')).to.deep.equal(NOTHING);
  });

  it('say that something is held at once, and keep the last of many that come together', async () => {
    const words = await LastWords.open(path);
    const notes = [words.note('a', some(1)), words.note('a', NOTHING), words.note('a', some(2))];
    expect(words.of('a')).to.deep.equal(some(2));
    await Promise.all(notes);
    expect(words.of('a')).to.deep.equal(some(2));
    expect((await LastWords.open(path)).of('a').kind).to.equal('some');
  });

  it('that can not be read are an error that names the file', async () => {
    writeFileSync(path, '{"format":1');
    const error = await LastWords.open(path).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('code', 'state-not-current');
    expect(error).to.have.property('message').that.includes(path);
  });
});
