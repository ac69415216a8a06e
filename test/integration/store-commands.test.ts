// `manager store` on real stores and running programs: moving a cluster to etcd and back under its agents, and an etcd that is full.
import { expect } from 'chai';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { Caretaker } from '../../manager/maintenance/caretaker.js';
import { QuotaWatch } from '../../manager/maintenance/quota-watch.js';
import { EtcdStore } from '../../manager/store/etcd/etcd-store.js';
import { isAppError } from '../../shared/errors/app-error.js';
import { memoryLogger, silentLogger } from '../../shared/log/logger.js';
import { useCluster } from '../support/cluster-suite.js';
import { startEtcd, type Etcd } from '../support/etcd.js';
import { temporaryDirectory } from '../support/temp-dir.js';

const signal = new AbortController().signal;

describe('moving a store', function () {
  this.timeout(60_000);
  const cluster = useCluster({ nodes: 1, config: { etcd: { prefix: '/plant' } } });
  let etcd: Etcd;
  before(async () => {
    etcd = await startEtcd();
  });
  after(() => etcd.stop());

  const manager = () => cluster().managers[0]!;
  const store = (...args: string[]) =>
    cluster().run(['manager', 'store', ...args, '--config', manager().configFile], {
      CLUSTERFLUX_ETCD_ENDPOINTS: etcd.endpoints.join(','),
    });
  const state = () => manager().get<Record<string, unknown>>(`/clusters/${cluster().name}`);

  it('keeps versions, ids and incarnation: no agent joins anew, and the old store serves nobody any more', async () => {
    const node = cluster().nodes[0]!;
    await node.influxd.query('CREATE DATABASE "here"');
    await cluster().converged();
    const before = await state();
    const joins = async () => (await node.agent.log()).split('joining the cluster anew').length;
    const joinsBefore = await joins();

    const busy = await store('migrate', '--to', 'etcd', '--yes');
    expect(busy.code).to.equal(1);
    expect(busy.stderr).to.match(/holds it; stop that one/);
    await manager().stop();
    const plan = await store('migrate', '--to', 'etcd', '--dry-run');
    expect(plan.code, plan.stderr).to.equal(0);
    expect(plan.stdout).to.match(
      /moves 1 cluster \(test\), 1 node, \d+ keys from .* nothing was changed/,
    );
    const unsure = await store('migrate', '--to', 'etcd');
    expect(unsure.code).to.equal(2);
    const moved = await store('migrate', '--to', 'etcd', '--yes');
    expect(moved.code, moved.stderr).to.equal(0);
    expect(moved.stdout).to.match(/set manager\.store = "etcd"/);

    const old = await store('dump', '-');
    expect(old.code, 'the old content can still be taken out').to.equal(0);
    const refused = await cluster().run(['manager', '--config', manager().configFile]);
    expect(refused.code).to.equal(1);
    expect(refused.stderr.trim().split('\n').at(-1)).to.match(
      /^clusterflux: the store .* is closed: its content was moved to .*; set manager\.store/,
    );

    const back = await store('migrate', '--to', 'embedded', '--replace', '--yes');
    expect(back.code, back.stderr).to.equal(0);
    await manager().start();
    expect(await state()).to.deep.include({
      version: before['version'],
      incarnation: before['incarnation'],
    });
    await node.influxd.query('CREATE DATABASE "later"');
    await cluster().converged();
    expect(await joins()).to.equal(joinsBefore);
  });

  it('a dump that could not be written leaves nothing, and says why', async () => {
    const missing = join(cluster().dir, 'no', 'dump.jsonl');
    await manager().stop();
    const { code, stderr } = await store('dump', missing);
    await manager().start();
    expect(code).to.equal(1);
    expect(stderr).to.match(/writing the dump .*no\/dump\.jsonl failed/);
    const there = await access(missing).then(
      () => true,
      () => false,
    );
    expect(there).to.equal(false);
  });
});

describe('an etcd with a small quota', function () {
  this.timeout(60_000);
  /** etcd counts in pages and preallocates; with less it is full at once. */
  const QUOTA = 4 * 1024 * 1024;
  let etcd: Etcd;
  let store: EtcdStore;
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  before(async () => {
    directory = await temporaryDirectory('quota');
    etcd = await startEtcd({ flags: [`--quota-backend-bytes=${QUOTA}`] });
    store = new EtcdStore({ endpoints: etcd.endpoints, logger: silentLogger() });
  });
  after(async () => {
    await store.close();
    await etcd.stop();
    await directory.remove();
  });

  it('is warned of at half, and told of in words when it is full', async () => {
    const logger = memoryLogger();
    const gauges = { etcdBytes: gauge(), etcdQuotaBytes: gauge(), etcdAlarms: gauge() };
    const usage = () => store.status(signal);
    const watch = new QuotaWatch({ usage, quotaBytes: QUOTA, metrics: gauges, logger });
    const words = () => logger.lines.map(({ message }) => message);
    await watch.look(signal);
    expect(words()).to.deep.equal([]);
    // The same key again and again: history fills an etcd, not what is kept.
    const put = () => store.transact([], [{ put: '/x', value: Buffer.alloc(256 * 1024, 1) }]);
    while ((await usage()).dbSize <= QUOTA / 2) await put();
    await watch.look(signal);
    await watch.look(signal);
    expect(words()).to.deep.equal([
      'etcd is more than half full, compact and defragment it, or raise its quota',
    ]);
    expect(gauges.etcdBytes.value).to.be.greaterThan(QUOTA / 2);

    const full = await untilRefused(put);
    expect(full.code).to.equal('store-unavailable');
    expect(full.status).to.equal(503);
    expect(full.message).to.match(
      /space exceeded.*compact and defragment etcd, or raise its quota, and then disarm/,
    );
    await watch.look(signal);
    expect(words().at(-1)).to.match(/alarm and may take no writes/);
    expect(gauges.etcdAlarms.value).to.equal(1);
    expect((await store.health()).detail).to.match(/NOSPACE/);
    // Reading goes on.
    expect((await store.get('/x'))?.value.length).to.equal(256 * 1024);
    expect((await store.range('/', { revision: 2 })).revision).to.equal(2);
  });

  it('is compacted by the one elected manager, up to the revision of its look before', async () => {
    await etcd.stop();
    etcd = await startEtcd();
    await store.close();
    store = new EtcdStore({ endpoints: etcd.endpoints, logger: silentLogger() });
    const compacted: [string, number][] = [];
    const takerOf = async (managerId: string) => {
      const lease = await store.grantLease(60);
      return new Caretaker({
        store,
        etcd: {
          usage: () => store.status(),
          compact: (revision, by) => {
            compacted.push([managerId, revision]);
            return store.compact(revision, by);
          },
        },
        key: '/caretaker',
        managerId,
        lease: () => lease,
        logger: silentLogger(),
      });
    };
    const [one, two] = [await takerOf('one'), await takerOf('two')];
    for (const taker of [one, two]) await taker.run(signal);
    const { revision } = await store.transact([], [{ put: '/y', value: Buffer.from('1') }]);
    for (const taker of [one, two]) await taker.run(signal);
    await store.transact([], [{ put: '/y', value: Buffer.from('2') }]);
    for (const taker of [one, two]) await taker.run(signal);
    expect(compacted.map(([id]) => id)).to.deep.equal(['one', 'one']);
    expect(compacted[1]?.[1]).to.equal(revision);
    const code = await store.get('/y', { revision: revision - 1 }).then(
      () => 'read',
      (error: unknown) => (isAppError(error) ? error.message : 'other'),
    );
    expect(code).to.match(/compacted/);
    expect((await store.get('/y'))?.value.toString()).to.equal('2');
  });
});

function gauge() {
  return {
    value: 0,
    set(value: number) {
      this.value = value;
    },
  };
}

async function untilRefused(put: () => Promise<unknown>) {
  for (let tries = 0; tries < 200; tries += 1) {
    try {
      await put();
    } catch (error) {
      if (isAppError(error)) return error;
      throw error;
    }
  }
  return expect.fail('etcd was never full');
}
