import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { readMetaFile } from '../../../../agent/influxd/meta-file.js';
import { encodeSnapshot } from '../../../../shared/meta/codec.js';
import { emptyData } from '../../../../shared/meta/snapshot.js';
import type { TemporaryDirectory } from '../../../support/temp-dir.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';

/** An unprivileged id: root may read everything. */
const NOBODY = 65_534;

describe('reading meta.db', () => {
  let directory: TemporaryDirectory;
  let file: string;
  beforeEach(async () => {
    directory = await temporaryDirectory('meta');
    file = join(directory.path, 'meta.db');
  });
  afterEach(() => directory.remove());

  async function reasonOf(): Promise<string> {
    const found = await readMetaFile(directory.path);
    return found.kind === 'invalid' ? found.reason : expect.fail(`it was ${found.kind}`);
  }

  it('finds a good file, with its bytes', async () => {
    const bytes = encodeSnapshot({ ...emptyData(), Index: 7n });
    await writeFile(file, bytes);
    const found = await readMetaFile(directory.path);
    expect(found.kind === 'found' && [found.data.Index, found.bytes]).to.deep.equal([
      7n,
      Buffer.from(bytes),
    ]);
  });

  it('tells a missing file from a missing directory', async () => {
    expect(await readMetaFile(directory.path)).to.deep.equal({ kind: 'missing' });
    const elsewhere = join(directory.path, 'nowhere');
    const error = await readMetaFile(elsewhere).catch((thrown: unknown) => thrown as Error);
    expect(error).to.have.property('code', 'meta-unreadable');
    expect(error)
      .to.have.property('message')
      .that.contains(elsewhere)
      .and.contains('influxdb.meta-dir');
  });

  it('refuses a directory that is none', async () => {
    await writeFile(file, '');
    const error = await readMetaFile(file).catch((thrown: unknown) => thrown as Error);
    expect(error).to.have.property('message').that.contains('it is no directory');
  });

  for (const [what, bytes] of [
    ['empty', Buffer.alloc(0)],
    ['garbage', Buffer.from('\xff\xffgarbage')],
    ['truncated', Buffer.from(encodeSnapshot(emptyData())).subarray(0, 7)],
  ] as const) {
    it(`says that a file is ${what}, and never takes it for an empty schema`, async () => {
      await writeFile(file, bytes);
      expect(await reasonOf()).to.contain(file);
    });
  }

  it('says that it is no file', async () => {
    await mkdir(file);
    expect(await reasonOf()).to.contain("can't be read");
  });

  it('says who may not read it, and what to do', async () => {
    await writeFile(file, encodeSnapshot(emptyData()));
    await chmod(file, 0);
    await chmod(directory.path, 0o755);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(NOBODY);
    try {
      expect(await reasonOf()).to.match(
        /can't be read by the user \S+; run the agent as influxd's user/,
      );
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it('stops when it is told to', async () => {
    await writeFile(file, encodeSnapshot(emptyData()));
    const error = await readMetaFile(directory.path, AbortSignal.abort()).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).to.have.property('code', 'aborted');
  });
});
