import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { FakeInflux } from '../../../../agent/influxd/fake-influx.js';
import type { MetaBackups } from '../../../../agent/influxd/meta-backups.js';
import { openMetaBackups } from '../../../../agent/influxd/meta-backups.js';
import { lineageOf } from '../../../../shared/meta/lineage.js';
import type { TemporaryDirectory } from '../../../support/temp-dir.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';

describe('copies of meta.db', () => {
  let directory: TemporaryDirectory;
  let folder: string;
  let backups: MetaBackups;
  let influx: FakeInflux;
  beforeEach(async () => {
    directory = await temporaryDirectory('backups');
    folder = join(directory.path, 'meta-backups');
    backups = openMetaBackups(folder);
    influx = new FakeInflux();
  });
  afterEach(() => directory.remove());

  const at = (minute: number) => new Date(Date.UTC(2026, 0, 2, 3, minute));

  it('come back as they were, newest first', async () => {
    expect(await backups.list()).to.deep.equal([]);
    const states = [];
    for (const minute of [1, 2]) {
      influx.run(`CREATE DATABASE "d${minute}"`);
      states.unshift(lineageOf(influx.data));
      expect(await backups.save(influx.data, at(minute))).to.equal(true);
    }
    const list = await backups.list();
    expect(list.map((backup) => backup.at)).to.deep.equal([at(2), at(1)]);
    const loaded = await Promise.all(list.map(({ name }) => backups.load(name)));
    expect(loaded.map((data) => lineageOf(data))).to.deep.equal(states);
  });

  it('are five at most', async () => {
    for (let minute = 0; minute < 8; minute += 1) {
      influx.run(`CREATE DATABASE "d${minute}"`);
      await backups.save(influx.data, at(minute));
    }
    expect((await backups.list()).map((backup) => backup.at)).to.deep.equal(
      [7, 6, 5, 4, 3].map(at),
    );
  });

  it('are not made anew for equal content, though Index rose', async () => {
    influx.run('CREATE DATABASE "d"');
    await backups.save(influx.data, at(1));
    influx.run('CREATE DATABASE "d" WITH DURATION INF NAME "autogen"');
    expect(await backups.save(influx.data, at(2))).to.equal(false);
    expect(await readdir(folder)).to.have.length(1);
  });

  it('keep content that came back as the newest, once, also with a clock that was set back', async () => {
    influx.run('CREATE DATABASE "d"');
    const first = influx.data;
    await backups.save(first, at(1));
    influx.run('CREATE DATABASE "e"');
    await backups.save(influx.data, at(5));
    expect(await backups.save(first, at(3))).to.equal(true);
    const list = await backups.list();
    expect(list).to.have.length(2);
    expect(lineageOf(await backups.load(list[0]!.name)).content).to.equal(lineageOf(first).content);
  });

  it('leave foreign files alone, and refuse to load what is none or damaged', async () => {
    await backups.save(influx.data, at(1));
    await writeFile(join(folder, 'notes.txt'), 'hello');
    const [backup] = await backups.list();
    await writeFile(join(folder, backup!.name), 'damaged');
    for (const name of ['notes.txt', '../../x', backup!.name]) {
      const error = await backups.load(name).catch((thrown: unknown) => thrown);
      expect(error, name).to.have.property('code', 'meta-unreadable');
    }
  });
});
