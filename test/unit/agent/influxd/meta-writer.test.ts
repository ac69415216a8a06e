import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { createMetaWriter } from '../../../../agent/influxd/meta-writer.js';
import type { RunState } from '../../../../agent/influxd/stopped.js';
import type { LocalState } from '../../../../agent/sync/observe.js';
import { decodeSnapshot } from '../../../../shared/meta/codec.js';
import { lineageOf } from '../../../../shared/meta/lineage.js';
import { schemaOf } from '../../../../shared/meta/model.js';
import { emptyData } from '../../../../shared/meta/snapshot.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';

const NO_FILE: LocalState = {
  source: 'none',
  data: emptyData(),
  schema: new Map(),
  lineage: lineageOf(emptyData()),
  internal: '_internal',
  fileBytes: undefined,
};
const TARGET = schemaOf([{ kind: 'database', path: ['db'], value: { defaultPolicy: '' } }]);
const { signal } = new AbortController();

describe('the writer of a stopped influxd', () => {
  let dir: string;
  let metaDir: string;
  let state: RunState;
  beforeEach(async () => {
    dir = (await temporaryDirectory('meta-writer')).path;
    metaDir = join(dir, 'meta');
    state = { kind: 'stopped' };
  });
  const writer = (assumeStopped = false) =>
    createMetaWriter({
      metaDir,
      dataDir: join(dir, 'data'),
      runState: async () => state,
      assumeStopped,
    });
  const codeOf = async (work: Promise<unknown>) =>
    work.then(
      () => 'done',
      (error: unknown) => (error as { code: string }).code,
    );

  it('takes a server without a meta directory for a new one, and makes it', async () => {
    expect(await writer().readFile(signal)).to.deep.equal({ kind: 'missing' });
    await mkdir(join(dir, 'data/db/autogen/7'), { recursive: true });
    const data = await writer().compose(NO_FILE, TARGET, signal);
    await writer().write(data, undefined, signal);
    const written = decodeSnapshot(await readFile(join(metaDir, 'meta.db')));
    expect([written.Term, written.Index, written.MaxShardID]).to.deep.equal([1n, 2n, 7n]);
    expect(written.Databases.map(({ Name }) => Name)).to.deep.equal(['db']);
    expect(await writer().readFile(signal)).to.have.property('kind', 'found');
  });

  it('takes a wrong path for what it is', async () => {
    metaDir = join(dir, 'no', 'such', 'meta');
    expect(await codeOf(writer().readFile(signal))).to.equal('meta-unreadable');
  });

  it('neither reads nor writes while influxd runs, whatever a person says', async () => {
    state = { kind: 'running', why: 'process 1' };
    const data = await writer().compose(NO_FILE, TARGET, signal);
    for (const assumeStopped of [false, true]) {
      expect(await codeOf(writer(assumeStopped).readFile(signal))).to.equal('influxd-running');
      const write = writer(assumeStopped).write(data, undefined, signal);
      expect(await codeOf(write)).to.equal('influxd-running');
    }
    expect(await readdir(dir)).to.deep.equal([]);
  });

  it('needs a person to say so where influxd can not be seen', async () => {
    state = { kind: 'unknown', why: 'this is a container' };
    const error: unknown = await writer()
      .readFile(signal)
      .catch((thrown: unknown) => thrown);
    expect(error)
      .to.have.property('message')
      .that.matches(/this is a container.*--offline/);
    const data = await writer().compose(NO_FILE, TARGET, signal);
    expect(await codeOf(writer().write(data, undefined, signal))).to.equal('influxd-running');
    expect(await codeOf(writer(true).write(data, undefined, signal))).to.equal('done');
  });

  it('leaves a file alone that is not the one that was read', async () => {
    await mkdir(metaDir);
    await writeFile(join(metaDir, 'meta.db'), 'another');
    const data = await writer().compose(NO_FILE, TARGET, signal);
    expect(await codeOf(writer().write(data, undefined, signal))).to.equal('version-conflict');
    expect(await readFile(join(metaDir, 'meta.db'), 'utf8')).to.equal('another');
  });
});
