import { execFile } from 'node:child_process';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { lockDirectory } from '../../../shared/lifecycle/directory-lock.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temp-dir.js';

const WHAT = { what: 'the state directory' };

describe('a directory lock', () => {
  let directory: TemporaryDirectory;
  beforeEach(async () => {
    directory = await temporaryDirectory('lock');
  });
  afterEach(() => directory.remove());

  const failureOf = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => undefined,
      (error: unknown) => error,
    );

  it('keeps everybody else out, by a sentence that names the holder, until it is released', async () => {
    const lock = await lockDirectory(directory.path, WHAT);
    const refusal = await failureOf(lockDirectory(directory.path, WHAT));
    expect(refusal).to.have.property('code', 'already-running');
    expect(refusal).to.have.nested.property('details.pid', process.pid);
    expect(String(refusal)).to.contain(`using the state directory ${directory.path} failed`);
    expect(String(refusal)).to.contain(`process ${process.pid}, started`);
    await lock.release();
    await lock.release();
    const again = await lockDirectory(directory.path, WHAT);
    await again.release();
  });

  it('is given to one of many who ask at once', async () => {
    const asked = await Promise.allSettled(
      Array.from({ length: 8 }, () => lockDirectory(directory.path, WHAT)),
    );
    const locks = asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(locks).to.have.length(1);
    await locks[0]?.release();
  });

  it('is not held by a lock file that somebody left behind, whatever is in it', async () => {
    await writeFile(
      join(directory.path, 'lock'),
      '{"pid":1,"started":"2020-01-01T00:00:00.000Z"}\n',
    );
    const lock = await lockDirectory(directory.path, WHAT);
    expect(JSON.parse(await readFile(join(directory.path, 'lock'), 'utf8'))).to.include({
      pid: process.pid,
    });
    await lock.release();
  });

  it('says that it is held even where the file does not tell by whom', async () => {
    const lock = await lockDirectory(directory.path, WHAT);
    await writeFile(join(directory.path, 'lock'), 'nothing of use');
    expect(String(await failureOf(lockDirectory(directory.path, WHAT)))).to.contain(
      'another process holds it',
    );
    await lock.release();
  });

  it('makes the directory where it is missing', async () => {
    const path = join(directory.path, 'a', 'b');
    const lock = await lockDirectory(path, WHAT);
    await lock.release();
    await rm(path, { recursive: true });
  });

  it('says what to install where there is no flock', async () => {
    const options = { ...WHAT, command: join(directory.path, 'no-such-program') };
    const failure = await failureOf(lockDirectory(directory.path, options));
    expect(failure).to.have.property('code', 'state-unwritable');
    expect(String(failure)).to.contain('install the package util-linux');
  });

  it('makes its directory with the parents that are missing, for this user alone', async () => {
    const path = join(directory.path, 'a', 'b');
    const lock = await lockDirectory(path, WHAT);
    expect((await stat(path)).mode & 0o777).to.equal(0o700);
    await lock.release();
  });

  it('says so where the system lets nobody make a directory', async function () {
    // In another process: Node 20's own mkdir with `recursive` never returns there, and would take this suite with it.
    if (process.platform !== 'linux') this.skip();
    const lock = new URL('../../../shared/lifecycle/directory-lock.ts', import.meta.url).href;
    const code = `import { lockDirectory } from ${JSON.stringify(lock)};
      lockDirectory('/proc/clusterflux/state', { what: 'it' }).catch((error) => console.log(error.code));`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 10_000 });
    expect(stdout.trim()).to.equal('state-unwritable');
  });
});
