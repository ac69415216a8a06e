import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { defaultDataDir, listDiskShards } from '../../../../agent/influxd/disk-shards.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';

describe('shards on disk', () => {
  it('are the numbered directories below database and policy, but the series file', async () => {
    const directory = await temporaryDirectory('data');
    for (const path of [
      'db/rp/1',
      'db/rp/18446744073709551615',
      'db/_series/00',
      'db/rp/x',
      'd b/r p/7',
      'empty',
    ]) {
      await mkdir(join(directory.path, path), { recursive: true });
    }
    await writeFile(join(directory.path, 'db/rp/9'), 'a file');
    const shards = await listDiskShards(directory.path);
    expect(shards).to.have.deep.members([
      { id: 1n, database: 'db', policy: 'rp' },
      { id: 18_446_744_073_709_551_615n, database: 'db', policy: 'rp' },
      { id: 7n, database: 'd b', policy: 'r p' },
    ]);
    await directory.remove();
  });

  it('are none where there is no data directory', async () => {
    const directory = await temporaryDirectory('data');
    expect(await listDiskShards(join(directory.path, 'data'))).to.deep.equal([]);
    await directory.remove();
  });

  it("are never taken for none where they can't be listed", async () => {
    const directory = await temporaryDirectory('data');
    const database = join(directory.path, 'db');
    await mkdir(database, { mode: 0 });
    await chmod(directory.path, 0o755);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      const error = await listDiskShards(directory.path).catch(
        (thrown: unknown) => thrown as Error,
      );
      expect(error).to.have.property('code', 'meta-unreadable');
      expect(error).to.have.property('message').that.contains(database);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    await directory.remove();
  });

  it('lie beside the meta directory by default', () => {
    expect(defaultDataDir('/var/lib/influxdb/meta')).to.equal('/var/lib/influxdb/data');
  });
});
