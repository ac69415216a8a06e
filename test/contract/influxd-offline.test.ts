// What an agent writes while influxd is stopped, as a real influxd then loads it; and what a real influxd with
// authentication answers.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { listDiskShards } from '../../agent/influxd/disk-shards.js';
import type { RealInfluxControl } from '../../agent/influxd/influx-control.js';
import { createInfluxControl } from '../../agent/influxd/influx-control.js';
import { offlineData } from '../../agent/influxd/offline-data.js';
import { writeOffline } from '../../agent/influxd/offline-writer.js';
import type { RunState } from '../../agent/influxd/stopped.js';
import { influxdRunState } from '../../agent/influxd/stopped.js';
import { parseAddress } from '../../shared/config/address.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import { lineageOf } from '../../shared/meta/lineage.js';
import { sameSchema } from '../../shared/meta/model.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import type { TestInfluxd } from '../support/influxd.js';
import { startInfluxd } from '../support/influxd.js';

function controlOf(
  influxd: TestInfluxd,
  account: { username?: string; password?: () => string } = {},
): RealInfluxControl {
  const { url, metaDir } = influxd;
  return createInfluxControl({
    url,
    metaDir,
    snapshotAddress: parseAddress(influxd.snapshotAddress)!,
    ...account,
  });
}

function runStateOf(influxd: TestInfluxd): Promise<RunState> {
  const { url, metaDir } = influxd;
  return influxdRunState({ url, metaDir, snapshotAddress: parseAddress(influxd.snapshotAddress)! });
}

describe('writing meta.db for a stopped influxd', () => {
  const servers: TestInfluxd[] = [];
  const controls: RealInfluxControl[] = [];
  async function server(): Promise<{ influxd: TestInfluxd; control: RealInfluxControl }> {
    const influxd = await startInfluxd();
    const control = controlOf(influxd);
    servers.push(influxd);
    controls.push(control);
    return { influxd, control };
  }
  after(async () => {
    for (const control of controls) await control.close();
    for (const influxd of servers) await influxd.remove();
  });

  /** A server with everything that a schema can hold, user's password hash included. */
  async function fullServer(): Promise<Data> {
    const { influxd, control } = await server();
    await influxd.query(
      'CREATE DATABASE "a b" WITH DURATION 30d REPLICATION 2 SHARD DURATION 1d NAME "r.p"',
    );
    await influxd.query(
      `CREATE SUBSCRIPTION "s" ON "a b"."r.p" DESTINATIONS ANY 'udp://127.0.0.1:9', 'http://127.0.0.1:9'`,
    );
    await influxd.query(
      'CREATE CONTINUOUS QUERY "q" ON "a b" BEGIN SELECT mean(x) INTO y FROM z GROUP BY time(1m) END',
    );
    await influxd.query(`CREATE USER "u'1" WITH PASSWORD 'p' WITH ALL PRIVILEGES`);
    await influxd.query(`CREATE USER "u2" WITH PASSWORD 'p'`);
    await influxd.query('GRANT WRITE ON "a b" TO "u2"');
    return control.readMemory();
  }

  it('seeds a new server before its first start, and changes one that has data without touching it', async () => {
    const schema = readSchema(await fullServer());
    const { influxd, control } = await server();
    await influxd.query('CREATE DATABASE "local"');
    await influxd.query('CREATE DATABASE "a b"');
    await influxd.write('a b', 'm f=42 1');
    const runState = () => runStateOf(influxd);
    const before = await control.readFile();
    if (before.kind !== 'found') return expect.fail(`meta.db is ${before.kind}`);
    // The policy that holds the point stays.
    const target = new Map([...readSchema(before.data), ...schema]);
    const write = async () => {
      const disk = (await listDiskShards(influxd.dataDir)).map(({ id }) => id);
      const data = offlineData(before.data, target, { diskShardIds: [...disk, 50n] });
      const { metaDir } = influxd;
      return writeOffline({
        metaDir,
        expected: before.bytes,
        data,
        runState,
        assumeStopped: false,
      });
    };
    expect(await write()).to.have.property('kind', 'running');
    await influxd.stop();
    expect(await runState()).to.deep.equal({ kind: 'stopped' });
    expect(await write()).to.have.property('kind', 'written');
    expect(await readdir(influxd.metaDir)).to.deep.equal(['meta.db']);
    await influxd.start();
    const after = await control.readMemory();
    expect(sameSchema(readSchema(after), target)).to.equal(true);
    const [was, is] = [lineageOf(before.data), lineageOf(after)];
    expect([is.clusterId, is.term, is.index]).to.deep.equal([
      was.clusterId,
      '1',
      String(Number(was.index) + 1_000),
    ]);
    expect(is.groups).to.deep.equal(was.groups);
    const [result] = await influxd.query('SELECT f FROM "a b"."autogen"."m"');
    expect(result?.series?.[0]?.values?.[0]?.[1]).to.equal(42);
    // The next shard gets a number above everything on disk.
    await influxd.write('local', 'm f=1 1');
    expect((await control.readMemory()).MaxShardID).to.equal(51n);
  });

  it('gives a server that never started a file that it boots from, with users that can log in', async () => {
    const schema = readSchema(await fullServer());
    const influxd = await startInfluxd({ authEnabled: true });
    servers.push(influxd);
    await influxd.kill9();
    const { metaDir } = influxd;
    const owner = (await stat(metaDir)).uid;
    const old = await controlOf(influxd).readFile();
    const result = await writeOffline({
      metaDir,
      expected: old.kind === 'found' ? old.bytes : undefined,
      data: offlineData(undefined, schema, { diskShardIds: [] }),
      runState: () => runStateOf(influxd),
      assumeStopped: false,
    });
    expect(result.kind).to.equal('written');
    expect((await stat(join(metaDir, 'meta.db'))).uid).to.equal(owner);
    await influxd.start();
    const control = controlOf(influxd, { username: "u'1", password: () => 'p' });
    controls.push(control);
    expect(sameSchema(readSchema(await control.readMemory()), schema)).to.equal(true);
    expect(await control.execute('SHOW DATABASES')).to.deep.equal({ kind: 'done' });
    const diagnostics = await control.diagnostics();
    expect(diagnostics).to.include({
      metaDir,
      dataDir: influxd.dataDir,
      pid: influxd.pid,
      internalDatabase: '_internal',
    });
    for (const [account, why] of [
      [{}, /unable to parse authentication credentials/],
      [{ username: "u'1", password: () => 'wrong' }, /authorization failed/],
      [{ username: 'u2', password: () => 'p' }, /not authorized|requires admin privilege/],
    ] as const) {
      const other = controlOf(influxd, account);
      controls.push(other);
      const error = await other
        .execute('DROP DATABASE "a b"')
        .catch((thrown: unknown) => thrown as Error);
      expect(error).to.have.property('code', 'unauthorized');
      expect(error).to.have.property('message').that.matches(why);
    }
  });

  it('sees an influxd that hangs as running, and as unreachable', async () => {
    const { influxd } = await server();
    const { url, metaDir } = influxd;
    const snapshotAddress = parseAddress(influxd.snapshotAddress)!;
    const hasty = createInfluxControl({ url, metaDir, snapshotAddress, deadlineMs: 100 });
    controls.push(hasty);
    influxd.pause();
    expect(await runStateOf(influxd)).to.have.property('kind', 'running');
    expect(await hasty.ping()).to.equal(undefined);
    for (const call of [hasty.readMemory(), hasty.execute('CREATE DATABASE "x"')]) {
      expect(await call.catch((thrown: unknown) => thrown)).to.have.property(
        'code',
        'influxd-unreachable',
      );
    }
    influxd.resume();
    expect((await hasty.ping())?.version).to.match(/^1\./);
  });

  it('names the monitoring database of a server that has one', async () => {
    const influxd = await startInfluxd({
      internal: true,
      config: { monitor: { 'store-database': 'watch' } },
    });
    servers.push(influxd);
    const control = controlOf(influxd);
    controls.push(control);
    expect(await control.internalDatabase()).to.equal('watch');
  });
});
