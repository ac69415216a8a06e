// Atomic writes and the ready file.
import { expect } from 'chai';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAppError } from '../../../shared/errors/app-error.js';
import { writeFileAtomically } from '../../../shared/lifecycle/atomic-file.js';
import { createReadyFile } from '../../../shared/lifecycle/ready-file.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temp-dir.js';

describe('files that are there whole or not at all', () => {
  let directory: TemporaryDirectory;
  beforeEach(async () => {
    directory = await temporaryDirectory('atomic');
  });
  afterEach(() => directory.remove());

  it('replaces the content, sets the permissions whatever the umask, and leaves nothing else behind', async () => {
    const path = join(directory.path, 'a');
    await writeFile(path, 'old');
    const umask = process.umask(0o077);
    try {
      await writeFileAtomically(path, Buffer.from('new'), { mode: 0o644 });
    } finally {
      process.umask(umask);
    }
    expect(await readFile(path, 'utf8')).to.equal('new');
    expect((await stat(path)).mode & 0o777).to.equal(0o644);
    expect(await readdir(directory.path)).to.deep.equal(['a']);
  });

  it('makes files for their owner alone by default', async () => {
    const path = join(directory.path, 'a');
    await writeFileAtomically(path, 'secret');
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
  });

  it('keeps the old content and cleans up where the rename fails', async () => {
    const path = join(directory.path, 'a');
    await mkdir(path);
    const error = await writeFileAtomically(path, 'new').catch((reason: unknown) => reason);
    expect(isAppError(error, 'state-unwritable')).to.equal(true);
    expect((error as Error).message).to.include(path);
    expect(await readdir(directory.path)).to.deep.equal(['a']);
  });

  it('says which file could not be written where the directory is not there', async () => {
    const path = join(directory.path, 'none/a');
    const error = await writeFileAtomically(path, 'new').catch((reason: unknown) => reason);
    expect(isAppError(error, 'state-unwritable')).to.equal(true);
    expect((error as Error).message).to.match(/none\/a failed: ENOENT/);
  });

  it('writes the ready file for others to read, and removes it, also twice', async () => {
    const path = join(directory.path, 'ready.json');
    const ready = createReadyFile(path);
    await ready.remove();
    await ready.write({ manager: 'http://127.0.0.1:1', pid: 7 });
    expect(JSON.parse(await readFile(path, 'utf8'))).to.deep.equal({
      manager: 'http://127.0.0.1:1',
      pid: 7,
    });
    expect((await stat(path)).mode & 0o777).to.equal(0o644);
    await ready.remove();
    await ready.remove();
    expect(await readdir(directory.path)).to.deep.equal([]);
  });

  it('does nothing where no ready file was asked for', async () => {
    const ready = createReadyFile(undefined);
    await ready.write({ manager: 'http://127.0.0.1:1', pid: 7 });
    await ready.remove();
    expect(await readdir(directory.path)).to.deep.equal([]);
  });
});
