// The placement over every kind of store: many who ask at once get the same groups, a large change is seen whole or not at all,
// and lost replies change nothing twice.
import { expect } from 'chai';
import { openEmbeddedStore } from '../../manager/store/embedded/embedded-store.js';
import { EtcdStore } from '../../manager/store/etcd/etcd-store.js';
import { MemoryStore } from '../../manager/store/memory/memory-store.js';
import type { Store } from '../../manager/store/port.js';
import type { ClusterView } from '../../manager/metadata/cluster-views.js';
import { groupsOf } from '../../manager/placement/state.js';
import type { Services } from '../../manager/services.js';
import { systemClock } from '../../shared/lifecycle/clock.js';
import { silentLogger } from '../../shared/log/logger.js';
import { startEtcd } from '../support/etcd.js';
import { lossyStore, type Fate } from '../support/lossy-store.js';
import { servicesOver } from '../support/services.js';
import { snapshotWith } from '../support/snapshots.js';
import { temporaryDirectory } from '../support/temp-dir.js';

interface Opened {
  readonly store: Store;
  close(): Promise<void>;
}

const STORES: Readonly<Record<string, () => Promise<Opened>>> = {
  memory: async () => {
    const store = new MemoryStore();
    return { store, close: () => store.close() };
  },
  embedded: async () => {
    const directory = await temporaryDirectory('placement');
    const clock = systemClock();
    const store = await openEmbeddedStore({
      directory: directory.path,
      logger: silentLogger(),
      clock,
    });
    return {
      store,
      close: async () => {
        await store.close();
        await directory.remove();
      },
    };
  },
  etcd: async () => {
    const etcd = await startEtcd();
    const store = new EtcdStore({ endpoints: etcd.endpoints, logger: silentLogger() });
    return {
      store,
      close: async () => {
        await store.close();
        await etcd.stop();
      },
    };
  },
};

const HOUR_NS = 3_600_000_000_000n;
const NOW_NS = BigInt(Date.parse('2026-03-04T12:10:00Z')) * 1_000_000n;

/** More than one transaction takes: each database is a record of its own. */
const DATABASES = Array.from({ length: 150 }, (_, index) => `database ${index}`);

const signal = () => AbortSignal.timeout(20_000);

for (const [name, open] of Object.entries(STORES)) {
  describe(`placement over the ${name} store`, () => {
    let opened: Opened;
    let managers: Services[];
    before(async () => {
      opened = await open();
    });
    after(() => opened.close());
    afterEach(async () => {
      for (const services of managers) {
        services.views.close();
        await services.events.close(0);
      }
    });

    const viewOf = (services: Services, cluster: string): ClusterView => services.views.of(cluster);

    /** Managers over the store, and a cluster with three members and the databases. */
    async function prepare(cluster: string, ...stores: Store[]): Promise<ClusterView[]> {
      managers = stores.map((store) => servicesOver(store));
      const [first] = managers as [Services];
      const view = viewOf(first, cluster);
      for (const uid of ['a', 'b', 'c']) {
        const { id } = await first.registrar.register(view, registration(uid), signal());
        await first.placements.members.joined(view, id, signal());
      }
      await first.publisher.write(
        view,
        {
          seenVersion: 0,
          ifMatch: undefined,
          bytes: snapshotWith(...DATABASES),
          idempotencyKey: undefined,
          author: { node: 1 },
        },
        signal(),
      );
      return managers.map((services) => viewOf(services, cluster));
    }

    const wanted = (database: string, hours: number) => ({
      database,
      policy: 'autogen',
      timeNs: NOW_NS + BigInt(hours) * HOUR_NS,
    });

    it('gives twenty who ask at once the same group, through two managers', async () => {
      const views = await prepare('many', opened.store, opened.store);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) => {
          const services = managers[index % 2] as Services;
          const asked = [wanted(DATABASES[0] ?? '', 0), wanted(DATABASES[1] ?? '', index % 3)];
          return services.placements.groups.ensure(
            views[index % 2] as ClusterView,
            asked,
            signal(),
          );
        }),
      );
      const last = (await (views[0] as ClusterView).placement.load()).state;
      const known = new Map([...groupsOf(last)].map((group) => [group.id, group]));
      expect([...known.keys()].sort((a, b) => a - b)).to.deep.equal([1, 2, 3, 4]);
      for (const { state } of answers) {
        for (const group of groupsOf(state)) expect(group).to.deep.equal(known.get(group.id));
      }
    });

    it('shows a change of many databases whole or not at all', async () => {
      const [writer, reader] = (await prepare('large', opened.store, opened.store)) as [
        ClusterView,
        ClusterView,
      ];
      const [services] = managers as [Services];
      const seen = new Set<number>();
      let isDone = false;
      const reading = (async () => {
        while (!isDone) {
          const { state } = await reader.placement.load();
          seen.add([...groupsOf(state)].length);
          // The store in memory answers within this turn of the event loop.
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      for (const hours of [0, 1]) {
        const asked = DATABASES.map((database) => wanted(database, hours));
        await services.placements.groups.ensure(writer, asked, signal());
      }
      isDone = true;
      await reading;
      const { state } = await reader.placement.load();
      expect([...groupsOf(state)]).to.have.length(2 * DATABASES.length);
      for (const count of seen) expect(count % DATABASES.length).to.equal(0);
      const { chunks } = writer.keys.placement;
      await services.placements.upkeep.sweep(writer, signal());
      // Nothing that is named goes with the sweep.
      const again = servicesOver(opened.store);
      managers.push(again);
      const fresh = await viewOf(again, 'large').placement.load();
      expect([...groupsOf(fresh.state)]).to.have.length(2 * DATABASES.length);
      const { entries } = await opened.store.range(chunks, { keysOnly: true });
      expect(entries.length).to.be.at.least(DATABASES.length);
    });

    it('does a thing once, however many replies are lost', async () => {
      const fates: Fate[] = [];
      const lossy = lossyStore(opened.store, () => fates.shift() ?? 'answered');
      const [view] = (await prepare('lossy', lossy)) as [ClusterView];
      const [services] = managers as [Services];
      fates.push('reply-lost', 'answered', 'request-lost');
      await services.placements.groups.ensure(view, [wanted(DATABASES[0] ?? '', 0)], signal());
      fates.push('request-lost', 'reply-lost', 'reply-lost');
      const request = {
        database: DATABASES[0] ?? '',
        statement: 'DELETE FROM m',
        idempotencyKey: undefined,
      };
      expect(await services.placements.deletes.add(view, request, signal())).to.equal(1);
      const { state } = await view.placement.load();
      expect([[...groupsOf(state)].length, state.deletes]).to.deep.equal([1, 1]);
    });
  });
}

function registration(uid: string) {
  return {
    uid,
    session: `session of ${uid}`,
    previousSession: undefined,
    candidates: [],
    hostname: uid,
    ips: [],
    influxd: undefined,
    bindAddress: undefined,
    labels: undefined,
    versions: { peer: '1' },
    defaultAddress: '127.0.0.1:8888',
  };
}
