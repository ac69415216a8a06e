// The one-off commands of the agent beside real InfluxDB servers: live, offline, before the first start, beside an agent.
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { runRejoin } from '../../agent/commands/rejoin.js';
import { runRestore } from '../../agent/commands/restore.js';
import { runSync } from '../../agent/commands/sync.js';
import { listDiskShards } from '../../agent/influxd/disk-shards.js';
import { LIVE_MODE, type TickMode, type TickReport } from '../../agent/sync/port.js';
import type { NodeBody } from '../../shared/api/nodes.js';
import type { Config } from '../../shared/config/config.js';
import type { AppError } from '../../shared/errors/app-error.js';
import { silentLogger } from '../../shared/log/logger.js';
import { startTestAgent, type TestAgent } from '../support/agent.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startInfluxd, type InfluxdOptions, type TestInfluxd } from '../support/influxd.js';
import { startTestManager, type TestManager } from '../support/manager.js';
import { command, configOf } from '../support/one-off.js';
import { temporaryDirectory } from '../support/temp-dir.js';

const OFFLINE: Partial<TickMode> = { offline: true };

interface Node {
  readonly influxd: TestInfluxd;
  readonly stateDir: string;
  readonly config: Config;
  readonly sync: (mode?: Partial<TickMode>, waitMs?: number) => Promise<TickReport>;
}

describe('one-off commands beside a real influxd', function () {
  this.timeout(30_000);
  let manager: TestManager;
  const servers: TestInfluxd[] = [];
  const agents: TestAgent[] = [];

  beforeEach(async () => {
    manager = await startTestManager({ listen: true, ttlMs: 2_000 });
  });
  afterEach(async () => {
    await Promise.all(agents.splice(0).map((agent) => agent.stop()));
    await Promise.all(servers.splice(0).map((influxd) => influxd.remove()));
    await manager.close();
  });

  async function node(options: InfluxdOptions = {}, endpoint = manager.url): Promise<Node> {
    const influxd = await startInfluxd(options);
    servers.push(influxd);
    const stateDir = (await temporaryDirectory('one-off')).path;
    const config = configOf(influxd, stateDir, endpoint);
    const sync = (mode: Partial<TickMode> = {}, waitMs = 0) =>
      runSync({
        config,
        logger: silentLogger(),
        signal: new AbortController().signal,
        mode: { ...LIVE_MODE, ...mode },
        waitMs,
      });
    return { influxd, stateDir, config, sync };
  }

  /** A server that was installed and never started. */
  async function newNode(options: InfluxdOptions = {}): Promise<Node> {
    const made = await node(options);
    await made.influxd.kill9();
    for (const directory of ['meta', 'data', 'wal']) {
      await rm(join(made.influxd.dir, directory), { recursive: true, force: true });
    }
    return made;
  }

  /** A node whose server has one of each kind of object, shared with the cluster. */
  async function sharedNode(): Promise<Node> {
    const made = await node();
    for (const statement of [
      'CREATE DATABASE "plant" WITH DURATION 30d REPLICATION 1 SHARD DURATION 1d NAME "month"',
      'CREATE RETENTION POLICY "ever" ON "plant" DURATION INF REPLICATION 1',
      'CREATE CONTINUOUS QUERY "q" ON "plant" BEGIN SELECT mean(x) INTO y FROM z GROUP BY time(1m) END',
      `CREATE SUBSCRIPTION "s" ON "plant"."ever" DESTINATIONS ANY 'udp://127.0.0.1:9'`,
      `CREATE USER "ann" WITH PASSWORD 'secret' WITH ALL PRIVILEGES`,
      `CREATE USER "bob" WITH PASSWORD 'hidden'`,
      'GRANT READ ON "plant" TO "bob"',
    ]) {
      await made.influxd.query(statement);
    }
    expect(await made.sync()).to.include({ outcome: 'changed', version: 1 });
    return made;
  }

  async function startAgent({ influxd, stateDir }: Node): Promise<TestAgent> {
    const agent = await startTestAgent({ influxd, stateDir, endpoints: [manager.url] });
    agents.push(agent);
    await eventually(async () => (await agent.get('/readyz')).status === 200);
    return agent;
  }

  const version = async () => {
    const answer = await fetch(`${manager.url}/clusters/test`);
    return ((await answer.json()) as { version: number }).version;
  };
  const metaFile = (influxd: TestInfluxd) =>
    readFile(join(influxd.metaDir, 'meta.db')).catch(() => 'none');

  it('seeds a new server before its first start: schema, queries, and users who can log in', async () => {
    await sharedNode();
    const fresh = await newNode({ authEnabled: true });
    const report = await fresh.sync(OFFLINE);
    expect(report.outcome, report.sentence).to.equal('changed');
    expect(report.sentence).to.match(
      /applied \d+ changes.*influxd takes meta\.db at its next start/,
    );
    expect(report.pending).to.deep.equal([]);
    const written = await metaFile(fresh.influxd);
    expect(await fresh.sync(OFFLINE)).to.include({ outcome: 'no-action', inStep: true });
    expect(await metaFile(fresh.influxd)).to.deep.equal(written);
    await fresh.influxd.start();
    const ann = { params: { u: 'ann', p: 'secret' } };
    expect(await fresh.influxd.names('SHOW DATABASES', ann)).to.deep.equal(['plant']);
    expect(await fresh.influxd.names('SHOW RETENTION POLICIES ON "plant"', ann)).to.have.members([
      'month',
      'ever',
    ]);
    const wrong = { params: { u: 'ann', p: 'wrong' } };
    const refusal = await fresh.influxd.names('SHOW DATABASES', wrong).catch(String);
    expect(refusal).to.match(/authorization failed/);
    const bob = { params: { u: 'bob', p: 'hidden' }, db: 'plant' };
    expect(await fresh.influxd.names('SHOW MEASUREMENTS', bob)).to.deep.equal([]);
    expect(await version()).to.equal(1);
    const joined = await fresh.sync({}, 0).catch((error: unknown) => error);
    expect(joined)
      .to.have.property('sentence')
      .that.matches(/authentication credentials/);
  });

  it('changes a stopped server: the base moves when influxd shows it, and nothing echoes back', async () => {
    const [a, b] = [await sharedNode(), await node()];
    await b.influxd.query('CREATE DATABASE "own"');
    await b.influxd.write('own', 'm f=1 1');
    expect(await b.sync()).to.include({ version: 2 });
    await a.sync();
    await b.influxd.stop();
    await a.influxd.query('CREATE DATABASE "late"');
    await a.influxd.query('ALTER RETENTION POLICY "month" ON "plant" DURATION 60d');
    await a.influxd.query('DROP DATABASE "own"');
    await a.influxd.query(`CREATE USER "cat" WITH PASSWORD 'c'`);
    await a.sync();
    const before = await version();
    const offline = await b.sync(OFFLINE);
    expect(offline.steps.map(({ text }) => text)).to.include.members([
      'database late: created here',
      'user cat: created here',
    ]);
    // Its shard would stay on disk as an orphan.
    expect(offline.pending.map(({ reason }) => reason).join()).to.match(
      /database own: .*dropped when influxd runs/,
    );
    expect((await b.sync(OFFLINE)).steps).to.deep.equal([]);
    await b.influxd.start();
    expect(await b.influxd.names('SHOW USERS')).to.include.members(['ann', 'bob', 'cat']);
    expect(await b.influxd.names('SHOW DATABASES')).to.have.members(['plant', 'late', 'own']);
    const live = await b.sync();
    expect(live.steps.map(({ text }) => text)).to.deep.equal(['database own: dropped here']);
    expect(live.pending).to.deep.equal([]);
    expect(await b.sync()).to.include({ outcome: 'no-action', inStep: true });
    expect((await a.sync()).steps).to.deep.equal([]);
    expect(await version()).to.equal(before);
  });

  it('forgets a write that influxd did not load, because it was started too early', async () => {
    await sharedNode();
    const fresh = await newNode();
    await fresh.sync(OFFLINE);
    // As if it had been started between the last look and the rename: it makes a file of its own.
    await rm(join(fresh.influxd.metaDir, 'meta.db'));
    await fresh.influxd.start();
    const report = await fresh.sync();
    expect(report.steps.map(({ text }) => text)).to.include('database plant: created here');
    expect(report.pending.map(({ object }) => object)).to.deep.equal([
      '["user","ann"]',
      '["user","bob"]',
      '["privilege","bob","plant"]',
    ]);
    expect(await fresh.influxd.names('SHOW DATABASES')).to.deep.equal(['plant']);
    expect(await version()).to.equal(1);
  });

  it('does nothing where influxd is not as the flags say, and says what to do', async () => {
    const { influxd, sync } = await node();
    const running = await sync(OFFLINE);
    expect(running).to.have.property('outcome', 'blocked');
    expect(running.sentence).to.match(/written only while influxd is stopped, and it runs .*stop/);
    await influxd.stop();
    const error = (await sync().catch((thrown: unknown) => thrown)) as AppError;
    expect(error.code).to.equal('influxd-unreachable');
    expect(error.message).to.match(/does not answer: start it, or, .*add --offline/);
    const waiting = sync({}, 10_000);
    await influxd.start();
    expect(await waiting).to.include({ outcome: 'no-action' });
  });

  it('takes only one direction where it is asked to, and leaves the other for later', async () => {
    const [a, b] = [await sharedNode(), await node()];
    await b.influxd.query('CREATE DATABASE "b"');
    // A join that goes one way only is not over.
    const pulled = await b.sync({ push: false });
    expect(pulled.steps.every(({ direction }) => direction === 'apply')).to.equal(true);
    expect(await b.influxd.names('SHOW DATABASES')).to.have.members(['b', 'plant']);
    expect(await version()).to.equal(1);
    await b.influxd.query('CREATE DATABASE "b2"');
    await a.influxd.query('CREATE DATABASE "a2"');
    await a.sync();
    const pushed = await b.sync({ pull: false });
    expect(pushed.steps.map(({ text }) => text)).to.deep.equal([
      'database b: created or changed in the cluster',
      'database b2: created or changed in the cluster',
      'retention policy b.autogen: created or changed in the cluster',
      'retention policy b2.autogen: created or changed in the cluster',
    ]);
    expect(await b.influxd.names('SHOW DATABASES')).to.have.members(['b', 'b2', 'plant']);
    expect(await version()).to.equal(3);
    // What a push left out is still seen as the cluster's change, and a drop that a pull left out as ours.
    expect((await b.sync({ push: false })).steps).to.have.lengthOf(2);
    await b.influxd.query('DROP DATABASE "b2"');
    expect((await b.sync({ push: false })).steps).to.deep.equal([]);
    expect(await version()).to.equal(3);
    await b.sync();
    expect(await version()).to.equal(4);
    await a.sync();
    expect(await a.influxd.names('SHOW DATABASES')).to.have.members(['plant', 'a2', 'b']);
  });

  it('changes nothing in a dry run: no file, no version, no node, and no identity', async () => {
    await sharedNode();
    const fresh = await newNode();
    const dry = await fresh.sync({ ...OFFLINE, dryRun: true });
    expect(dry.steps.map(({ text }) => text)).to.include('database plant: created here');
    expect(await metaFile(fresh.influxd)).to.equal('none');
    expect(await readdir(fresh.stateDir)).to.deep.equal([]);
    await fresh.influxd.start();
    await fresh.influxd.query('CREATE DATABASE "mine"');
    const live = await fresh.sync({ dryRun: true });
    expect(live.steps.map(({ direction }) => direction)).to.include.members(['push', 'apply']);
    expect(await fresh.influxd.names('SHOW DATABASES')).to.deep.equal(['mine']);
    expect(await version()).to.equal(1);
    const nodes = (await (await fetch(`${manager.url}/nodes/test`)).json()) as unknown[];
    expect(nodes).to.have.lengthOf(1);
  });

  it('gives up without a manager, which --best-effort only says', async () => {
    const port = await freePort();
    const alone = await node({}, `http://127.0.0.1:${port}`);
    const error = (await alone.sync().catch((thrown: unknown) => thrown)) as AppError;
    expect(error.code).to.equal('manager-unreachable');
    await alone.influxd.stop();
    const offline = (await alone.sync(OFFLINE).catch((thrown: unknown) => thrown)) as AppError;
    expect(offline.code).to.equal('manager-unreachable');
    const { exitCode, stderr } = await command(alone, { offline: true, bestEffort: true });
    expect([exitCode, stderr]).to.satisfy(([code, text]: [number, string]) => {
      return code === 0 && /going on, because of --best-effort/.test(text);
    });
  });

  it('lists the node, which is no longer alive after its TTL, and keeps its id', async () => {
    const one = await node();
    await one.sync();
    const list = async () =>
      (await (await fetch(`${manager.url}/nodes/test`)).json()) as { id: number; alive: boolean }[];
    await eventually(async () => (await list())[0]?.alive === false);
    await one.sync();
    expect((await list()).map(({ id }) => id)).to.deep.equal([1]);
  });

  it('leaves the address and the versions that the agent of this node has registered', async () => {
    const { influxd, stateDir, sync } = await node();
    const agent = await startTestAgent({ influxd, stateDir, endpoints: [manager.url] });
    agents.push(agent);
    const registered = async () => {
      const answer = await fetch(`${manager.url}/nodes/test/1`);
      return (await answer.json()) as NodeBody;
    };
    await eventually(async () => {
      expect((await registered())['bind-address']).to.equal(new URL(agent.url).host);
    });
    const { versions } = await registered();
    await agent.stop();
    await sync();
    expect(await registered()).to.deep.include({
      'bind-address': new URL(agent.url).host,
      versions,
    });
  });

  it('acts on no copy of a state directory, until it rejoined', async () => {
    const [a, b] = [await sharedNode(), await node()];
    await cp(a.stateDir, b.stateDir, { recursive: true });
    await a.sync();
    const refused = await b.sync();
    expect(refused.outcome).to.equal('blocked');
    expect(refused.sentence).to.match(/clusterflux agent rejoin/);
    expect(await b.influxd.names('SHOW DATABASES')).to.deep.equal([]);
    const options = {
      config: b.config,
      logger: silentLogger(),
      signal: new AbortController().signal,
    };
    expect((await runRejoin(options)).sentence).to.match(
      /new node now and joins cluster test.*nothing is dropped\n.*node 1 of cluster test/,
    );
    expect((await b.sync()).sentence).to.match(/applied/);
    expect(await b.influxd.names('SHOW DATABASES')).to.deep.equal(['plant']);
  });

  it('lets a running agent do the work, and renews and restores nothing under it', async () => {
    const [a, b] = [await sharedNode(), await node()];
    const agent = await startAgent(b);
    await a.influxd.query('CREATE DATABASE "late"');
    await a.sync();
    const synced = await b.sync({}, 5_000);
    expect(synced, synced.sentence).to.include({ inStep: true, version: 2 });
    expect(await b.influxd.names('SHOW DATABASES')).to.have.members(['plant', 'late']);
    const nodes = (await (await fetch(`${manager.url}/nodes/test`)).json()) as unknown[];
    expect(nodes).to.have.lengthOf(2);
    for (const work of [
      () => runRejoin(restoreOptions(b)),
      () => runRestore({ ...restoreOptions(b), confirm: async () => true }),
    ]) {
      const refusal = await work().catch((thrown: unknown) => thrown);
      expect(refusal).to.have.property('code', 'already-running');
    }
    expect((await agent.get('/status')).body['in-step']).to.equal(true);
    await agent.stop();
    expect(await b.sync()).to.include({ outcome: 'no-action' });
  });

  it('lets a running agent write meta.db, and that agent takes it over when influxd is started', async () => {
    await sharedNode();
    const b = await node();
    const agent = await startAgent(b);
    const before = await b.sync(OFFLINE);
    expect(before).to.include({ outcome: 'blocked' });
    expect(before.sentence).to.match(/only while influxd is stopped/);
    await b.influxd.stop();
    const report = await b.sync(OFFLINE, 5_000);
    expect(
      report.steps.map(({ text }) => text),
      report.sentence,
    ).to.include('user ann: created here');
    await b.influxd.start();
    expect(await b.influxd.names('SHOW USERS')).to.have.members(['ann', 'bob']);
    await eventually(async () => {
      const { body } = await agent.get('/status');
      expect(body).to.include({ 'in-step': true });
      expect(body['pending']).to.deep.equal([]);
    });
    expect(await b.sync()).to.include({ outcome: 'no-action' });
    expect(await version()).to.equal(1);
  });

  it('puts a kept meta.db back over a fresh one beside old shards, and the points are found again', async () => {
    const [a, b] = [await sharedNode(), await node()];
    await b.influxd.query('CREATE DATABASE "one"; CREATE DATABASE "two"');
    await b.influxd.write('one', 'm f=1 1');
    await b.influxd.write('two', 'm f=2 1');
    await b.sync();
    await b.influxd.stop();
    await rm(join(b.influxd.metaDir, 'meta.db'));
    await b.influxd.start();
    const blocked = await b.sync();
    expect(blocked.outcome).to.equal('blocked');
    expect(blocked.sentence).to.match(/data of another time.*agent restore/);
    await a.influxd.query('CREATE DATABASE "since"');
    await a.sync();
    const before = await version();

    const options = { ...restoreOptions(b), confirm: async () => true };
    const running = await runRestore(options).catch((thrown: unknown) => thrown);
    expect(running).to.have.property('code', 'influxd-running');
    await b.influxd.stop();
    const damaged = await metaFile(b.influxd);
    const unasked = await runRestore(restoreOptions(b)).catch((thrown: unknown) => thrown);
    expect(unasked).to.have.property('code', 'usage');
    expect(await metaFile(b.influxd)).to.deep.equal(damaged);

    expect((await runRestore(options)).sentence).to.match(/put back; start influxd/);
    expect(await readFile(join(b.stateDir, 'meta-replaced.db'))).to.deep.equal(damaged);
    await b.influxd.start();
    for (const [database, value] of [
      ['one', 1],
      ['two', 2],
    ] as const) {
      const [result] = await b.influxd.query('SELECT f FROM m', { db: database });
      expect(result?.series?.[0]?.values?.[0]?.[1]).to.equal(value);
    }
    const dbs = ['plant', 'one', 'two', 'since'];
    expect(await b.influxd.names('SHOW DATABASES')).to.have.members(dbs);
    expect(await b.influxd.names('SHOW USERS')).to.have.members(['ann', 'bob']);
    expect(await b.sync()).to.include({ inStep: true });
    expect(await version()).to.equal(before);
    // The next shard gets a number of its own.
    await b.influxd.write('since', 'm f=3 1');
    const ids = (await listDiskShards(b.influxd.dataDir)).map(({ id }) => id);
    expect(new Set(ids).size).to.equal(3);
  });

  it('restores where meta.db is missing or damaged, without a manager only where that is allowed', async () => {
    const b = await node();
    await b.influxd.query('CREATE DATABASE "one"');
    await b.influxd.write('one', 'm f=1 1');
    await b.sync();
    await b.influxd.stop();
    await manager.close();
    const options = { ...restoreOptions(b), confirm: async () => true };
    for (const damage of ['missing', 'empty', 'garbage']) {
      const path = join(b.influxd.metaDir, 'meta.db');
      if (damage === 'missing') await rm(path);
      else await writeFile(path, damage === 'empty' ? '' : 'no meta.db at all');
      const alone = await runRestore(options).catch((thrown: unknown) => thrown);
      expect(alone).to.have.property('code', 'manager-unreachable');
      expect((await runRestore({ ...options, bestEffort: true })).sentence).to.match(/put back/);
      await b.influxd.start();
      const [result] = await b.influxd.query('SELECT f FROM m', { db: 'one' });
      expect(result?.series?.[0]?.values, damage).to.have.lengthOf(1);
      await b.influxd.stop();
    }
    manager = await startTestManager({ listen: true });
  });
});

function restoreOptions({ config }: Node) {
  const { signal } = new AbortController();
  return { config, logger: silentLogger(), signal, file: undefined };
}
