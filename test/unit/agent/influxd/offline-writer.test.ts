import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { OfflineWrite } from '../../../../agent/influxd/offline-writer.js';
import { writeOffline } from '../../../../agent/influxd/offline-writer.js';
import type { RunState } from '../../../../agent/influxd/stopped.js';
import { encodeSnapshot } from '../../../../shared/meta/codec.js';
import { emptyData } from '../../../../shared/meta/snapshot.js';
import type { TemporaryDirectory } from '../../../support/temp-dir.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';

const STOPPED: RunState = { kind: 'stopped' };
const OLD = Buffer.from(encodeSnapshot({ ...emptyData(), Index: 5n }));
const data = { ...emptyData(), Index: 1_005n };

describe('the offline writer', () => {
  let directory: TemporaryDirectory;
  let metaDir: string;
  let file: string;
  beforeEach(async () => {
    directory = await temporaryDirectory('offline');
    metaDir = join(directory.path, 'meta');
    file = join(metaDir, 'meta.db');
    await mkdir(metaDir);
  });
  afterEach(() => directory.remove());

  function write(options: Partial<OfflineWrite> = {}): ReturnType<typeof writeOffline> {
    return writeOffline({
      metaDir,
      expected: OLD,
      data,
      runState: async () => STOPPED,
      assumeStopped: false,
      ...options,
    });
  }

  /** States in turn: what a second look may find. */
  function turning(...states: RunState[]): () => Promise<RunState> {
    return async () => states.shift() ?? expect.fail('asked too often');
  }

  async function expectUntouched(): Promise<void> {
    expect(await readFile(file)).to.deep.equal(OLD);
    expect(await readdir(metaDir)).to.deep.equal(['meta.db']);
  }

  it('replaces the file, and keeps its owner and mode', async () => {
    await writeFile(file, OLD);
    await chmod(file, 0o640);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) await chown(file, 1234, 4321);
    const before = await stat(file);
    const result = await write();
    expect(result.kind).to.equal('written');
    expect(await readFile(file)).to.deep.equal(Buffer.from(encodeSnapshot(data)));
    const after = await stat(file);
    expect([after.uid, after.gid, after.mode]).to.deep.equal([before.uid, before.gid, before.mode]);
    expect(after.ino).not.to.equal(before.ino);
    expect(await readdir(metaDir)).to.deep.equal(['meta.db']);
  });

  it('gives a new file the owner of its directory', async () => {
    if (process.geteuid?.() === 0) await chown(metaDir, 1234, 4321);
    const { uid, gid } = await stat(metaDir);
    expect((await write({ expected: undefined })).kind).to.equal('written');
    const made = await stat(file);
    expect([made.uid, made.gid, made.mode & 0o777]).to.deep.equal([uid, gid, 0o644]);
  });

  it('makes the meta directory of a server that never started', async () => {
    const fresh = join(directory.path, 'fresh');
    expect((await write({ metaDir: fresh, expected: undefined })).kind).to.equal('written');
    expect(await readdir(fresh)).to.deep.equal(['meta.db']);
  });

  it('writes nothing over a file that is not the one that was read', async () => {
    await writeFile(file, OLD);
    for (const expected of [undefined, OLD.subarray(1), Buffer.alloc(0)]) {
      expect((await write({ expected })).kind).to.equal('changed');
      await expectUntouched();
    }
  });

  it('writes nothing where the file that was read is gone', async () => {
    expect((await write()).kind).to.equal('changed');
    expect(await readdir(metaDir)).to.deep.equal([]);
  });

  it('notices a file that changed while it was writing', async () => {
    await writeFile(file, OLD);
    let looks = 0;
    const runState = async (): Promise<RunState> => {
      looks += 1;
      if (looks === 2) await writeFile(file, 'influxd was here');
      return STOPPED;
    };
    expect((await write({ runState })).kind).to.equal('changed');
    expect(await readFile(file, 'utf8')).to.equal('influxd was here');
  });

  it('writes nothing while influxd runs, also when it started meanwhile', async () => {
    await writeFile(file, OLD);
    const running: RunState = { kind: 'running', why: 'process 1' };
    expect(await write({ runState: turning(running) })).to.deep.equal(running);
    expect(await write({ runState: turning(STOPPED, running) })).to.deep.equal(running);
    expect(await write({ runState: turning(running), assumeStopped: true })).to.deep.equal(running);
    await expectUntouched();
  });

  it('writes where nobody can tell only when a person said that influxd is stopped', async () => {
    await writeFile(file, OLD);
    const unknown: RunState = { kind: 'unknown', why: 'a container' };
    expect(await write({ runState: async () => unknown })).to.deep.equal(unknown);
    await expectUntouched();
    expect((await write({ runState: async () => unknown, assumeStopped: true })).kind).to.equal(
      'written',
    );
  });

  it('removes what a killed run left, and nothing of influxd', async () => {
    await writeFile(file, OLD);
    await writeFile(join(metaDir, '.clusterflux-0123'), 'half');
    await writeFile(join(metaDir, 'meta.dbtmp'), 'of influxd');
    await write();
    expect((await readdir(metaDir)).sort()).to.deep.equal(['meta.db', 'meta.dbtmp']);
  });

  it("says why it can't write, and leaves nothing", async () => {
    const error = await write({ metaDir: join(directory.path, 'no', 'parent') }).catch(
      (thrown: unknown) => thrown as Error,
    );
    expect(error).to.have.property('code', 'state-unwritable');
    expect(error)
      .to.have.property('message')
      .that.contains('no/parent/meta.db')
      .and.contains("influxd's user");
  });
});
