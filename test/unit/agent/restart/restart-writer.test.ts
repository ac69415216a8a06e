// What the writer of the restart procedure takes for the local metadata, and when it touches the file.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { MetaFile } from '../../../../agent/influxd/port.js';
import { RestartWriter } from '../../../../agent/restart/restart-writer.js';
import type { MetaWriter } from '../../../../agent/sync/apply-offline.js';
import { unreachable } from '../../../../agent/influxd/deadline.js';
import { encodeSnapshot } from '../../../../shared/meta/codec.js';
import type { Data } from '../../../../shared/meta/gen/meta_pb.js';
import { emptyData } from '../../../../shared/meta/snapshot.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../support/temp-dir.js';

const DATA: Data = { ...emptyData(), ClusterID: 1n, Term: 4n, Index: 10n };
const NEXT: Data = { ...DATA, Index: 11n };
const fileOf = (data: Data): MetaFile => ({
  kind: 'found',
  data,
  bytes: Buffer.from(encodeSnapshot(data)),
});

describe('the meta.db writer of a running agent', () => {
  const { signal } = new AbortController();
  let directory: TemporaryDirectory;
  let metaDir: string;
  let files: MetaFile[];
  let memory: Data | undefined;
  let writer: RestartWriter;
  const plain: MetaWriter = {
    readFile: async () => ({ kind: 'invalid', reason: 'of the plain writer' }),
    compose: async () => DATA,
    write: () => Promise.reject(new Error('of the plain writer')),
    shardsOnDisk: async () => [],
  };

  beforeEach(async () => {
    directory = await temporaryDirectory('restart-writer');
    metaDir = join(directory.path, 'meta');
    await mkdir(metaDir);
    memory = DATA;
    files = [fileOf(DATA)];
    writer = new RestartWriter({
      metaDir,
      plain,
      influxd: {
        // The last one stays.
        readFile: async () => (files.length > 1 ? files.shift() : files[0]) ?? expect.fail(),
        readMemory: async () => {
          if (memory === undefined) throw unreachable('reading memory', 'refused');
          return memory;
        },
      },
    });
  });
  afterEach(() => directory.remove());

  const arm = (stop: (whenStopped: () => void) => void | Promise<void> = (now) => now()) => {
    writer.arm(async (whenStopped) => stop(whenStopped));
  };
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'done',
      (error: unknown) => (error as { code?: string }).code,
    );

  it('is the plain one while nobody has armed it, and afterwards', async () => {
    const isPlain = async () => {
      expect(await writer.readFile(signal)).to.have.property('reason', 'of the plain writer');
      const error: unknown = await writer.write(DATA, undefined, signal).catch((e: unknown) => e);
      expect(error).to.have.property('message', 'of the plain writer');
    };
    await isPlain();
    arm();
    writer.disarm();
    await isPlain();
  });

  it('reads the file of a running influxd, and waits for one that is being changed', async () => {
    arm();
    expect(await writer.readFile(signal)).to.deep.equal(fileOf(DATA));
    // On disk, and not in memory yet.
    files = [fileOf(NEXT), fileOf(NEXT), fileOf(DATA)];
    expect(await writer.readFile(signal)).to.deep.equal(fileOf(DATA));
    files = [fileOf(NEXT)];
    expect(await codeOf(writer.readFile(signal))).to.equal('influxd-unreachable');
  });

  it('takes what is in memory where the file is of another line, and the file where nobody answers', async () => {
    arm();
    const other = fileOf({ ...DATA, Term: 5n, Index: 1_010n });
    files = [other];
    const found = await writer.readFile(signal);
    if (found.kind !== 'found' || other.kind !== 'found') return expect.fail(found.kind);
    expect([found.data.Term, found.data.Index]).to.deep.equal([4n, 10n]);
    expect(found.bytes).to.deep.equal(other.bytes);
    memory = undefined;
    expect(await writer.readFile(signal)).to.deep.equal(other);
  });

  it('makes no new file in place of one that is gone', async () => {
    arm();
    files = [{ kind: 'missing' }];
    expect(await codeOf(writer.readFile(signal))).to.equal('meta-unreadable');
  });

  describe('writing', () => {
    const old = Buffer.from(encodeSnapshot(DATA));
    const path = () => join(metaDir, 'meta.db');
    beforeEach(() => writeFile(path(), old));

    it('has all ready before influxd is stopped, and puts it in place in that moment', async () => {
      arm(async (whenStopped) => {
        expect(await readdir(metaDir)).to.have.length(2);
        expect(await readFile(path())).to.deep.equal(old);
        whenStopped();
        expect(await readdir(metaDir)).to.have.length(1);
      });
      await writer.write(NEXT, old, signal);
      expect(await readFile(path())).to.deep.equal(Buffer.from(encodeSnapshot(NEXT)));
    });

    it('leaves a file alone that influxd changed while it stopped', async () => {
      arm(async (whenStopped) => {
        await writeFile(path(), 'the last change');
        whenStopped();
      });
      expect(await codeOf(writer.write(NEXT, old, signal))).to.equal('version-conflict');
      expect(await readFile(path(), 'utf8')).to.equal('the last change');
      expect(await readdir(metaDir)).to.deep.equal(['meta.db']);
    });

    it('leaves nothing behind where influxd can not be stopped', async () => {
      arm(() => {
        throw unreachable('stopping', 'no right');
      });
      expect(await codeOf(writer.write(NEXT, old, signal))).to.equal('influxd-unreachable');
      expect(await readdir(metaDir)).to.deep.equal(['meta.db']);
      expect(await readFile(path())).to.deep.equal(old);
    });
  });
});
