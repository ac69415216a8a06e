// Runs the contract of the store port against memory, the embedded store on disk, and a real etcd.
import { setTimeout as delay } from 'node:timers/promises';
import { openEmbeddedStore } from '../../manager/store/embedded/embedded-store.js';
import { EtcdStore } from '../../manager/store/etcd/etcd-store.js';
import { MemoryStore } from '../../manager/store/memory/memory-store.js';
import type { Store } from '../../manager/store/port.js';
import { fakeClock } from '../../shared/lifecycle/clock.js';
import { silentLogger } from '../../shared/log/logger.js';
import { startEtcd, type Etcd } from '../support/etcd.js';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temp-dir.js';
import { endTests, leaseTests, watchTests } from './store-contract-time.js';
import { rangeTests, valueTests } from './store-contract-reads.js';
import { transactionTests } from './store-contract-writes.js';
import type { StoreHarness } from './store-contract.js';

function memoryHarness(): StoreHarness {
  const clock = fakeClock();
  const store = new MemoryStore({ clock });
  return {
    name: 'memory',
    open: async () => store,
    openAnother: async () => new MemoryStore(),
    passTime: (ms) => clock.advance(ms),
    compact: async (revision) => {
      store.compact(revision);
    },
    dispose: async () => undefined,
  };
}

function embeddedHarness(): StoreHarness {
  const clock = fakeClock();
  const directories: TemporaryDirectory[] = [];
  const open = async (): Promise<Store> => {
    const directory = await temporaryDirectory('embedded');
    directories.push(directory);
    // A small log, so that the suite also runs through several generations of it.
    return await openEmbeddedStore({
      directory: directory.path,
      logger: silentLogger(),
      clock,
      maxLogBytes: 4_096,
    });
  };
  return {
    name: 'embedded',
    open,
    openAnother: open,
    passTime: (ms) => clock.advance(ms),
    dispose: async () => {
      for (const directory of directories) await directory.remove();
    },
  };
}

function etcdHarness(): StoreHarness {
  let etcd: Etcd;
  let store: EtcdStore;
  const open = (): EtcdStore =>
    new EtcdStore({ endpoints: etcd.endpoints, logger: silentLogger() });
  return {
    name: 'etcd',
    open: async () => {
      etcd = await startEtcd();
      store = open();
      return store;
    },
    openAnother: async () => open(),
    // A real server's leases end by its own clock.
    passTime: (ms) => delay(ms),
    compact: (revision) => store.compact(revision),
    dispose: () => etcd.stop(),
  };
}

for (const harness of [memoryHarness(), embeddedHarness(), etcdHarness()]) {
  describe(`store contract: ${harness.name}`, () => {
    let store: Store;
    let count = 0;
    let startedAt = 0;

    before(async () => {
      startedAt = performance.now();
      store = await harness.open();
    });
    beforeEach(() => {
      count += 1;
    });
    after(async () => {
      await store.close();
      await harness.dispose();
      console.log(`    ${harness.name}: ${Math.round(performance.now() - startedAt)} ms`);
    });

    const context = { harness, store: () => store, prefix: () => `/contract/${count}/` };
    transactionTests(context);
    valueTests(context);
    rangeTests(context);
    watchTests(context);
    leaseTests(context);
    endTests(context);
  });
}
