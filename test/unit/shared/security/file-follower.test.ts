// Files are read again when they change, however they are replaced; what is not good changes nothing and is said once.
import { expect } from 'chai';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readText } from '../../../../shared/config/secret-file.js';
import { AppError } from '../../../../shared/errors/app-error.js';
import { systemClock } from '../../../../shared/lifecycle/clock.js';
import { memoryLogger } from '../../../../shared/log/logger.js';
import { FileFollower } from '../../../../shared/security/file-follower.js';
import { eventually } from '../../../support/eventually.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../support/temp-dir.js';

describe('a followed file', () => {
  let directory: TemporaryDirectory;
  let path: string;
  let taken: string[];
  let logger: ReturnType<typeof memoryLogger>;
  let stop: AbortController;
  let running: Promise<void>;

  beforeEach(async () => {
    directory = await temporaryDirectory('follower');
    path = join(directory.path, 'file');
    taken = [];
    logger = memoryLogger();
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    await running;
    await directory.remove();
  });

  /** Looks fifty times as often as in a program. */
  async function start(): Promise<void> {
    const clock = systemClock();
    const follower = new FileFollower({
      what: 'secrets',
      paths: [path],
      take: async () => {
        const text = await readText('some.key', path);
        if (text === 'bad') throw new AppError('config-invalid', 'line 1 is bad');
        taken.push(text);
      },
      logger,
      clock: { ...clock, sleep: (ms, signal) => clock.sleep(ms / 50, signal) },
    });
    await follower.note();
    running = follower.run(stop.signal);
  }
  const newest = (text: string) => eventually(() => taken.at(-1) === text);
  const errors = () => logger.lines.filter(({ level }) => level === 'error');

  it('is taken after a write in place and after a rename, and not where nothing changed', async () => {
    await writeFile(path, 'one');
    await start();
    await writeFile(path, 'two');
    await newest('two');
    await writeFile(`${path}.new`, 'three');
    await rename(`${path}.new`, path);
    await newest('three');
    expect(taken).to.deep.equal(['two', 'three']);
  });

  it('is taken when Kubernetes turns a symbolic link over', async () => {
    for (const [folder, text] of [
      ['..1', 'one'],
      ['..2', 'two'],
    ] as const) {
      await mkdir(join(directory.path, folder));
      await writeFile(join(directory.path, folder, 'file'), text);
    }
    await symlink('..1', join(directory.path, '..data'));
    await symlink('..data/file', path);
    await start();
    await symlink('..2', join(directory.path, '..new'));
    await rename(join(directory.path, '..new'), join(directory.path, '..data'));
    await newest('two');
  });

  it('that is bad or gone is said once, and what comes after it is taken', async () => {
    await writeFile(path, 'one');
    await start();
    await writeFile(path, 'bad');
    await eventually(() => errors().length === 1);
    expect(errors()[0]?.fields['reason']).to.equal('line 1 is bad');
    await rm(path);
    await eventually(() => errors().length === 2);
    await writeFile(path, 'two');
    await newest('two');
    expect(taken).to.deep.equal(['two']);
    expect(errors()).to.have.length(2);
  });
});
