// Random transactions against the memory store and a real etcd side by side: the fake must say what the real one says.
import { expect } from 'chai';
import fc from 'fast-check';
import { EtcdStore } from '../../manager/store/etcd/etcd-store.js';
import { MemoryStore } from '../../manager/store/memory/memory-store.js';
import type { Comparison, Operation, Store, WatchEvent } from '../../manager/store/port.js';
import { silentLogger } from '../../shared/log/logger.js';
import { startEtcd, type Etcd } from '../support/etcd.js';
import { eventually } from '../support/eventually.js';
import { brief, bytes, put } from './store-contract.js';

describe('the memory store', () => {
  let etcd: Etcd;
  let real: EtcdStore;

  before(async () => {
    etcd = await startEtcd();
    real = new EtcdStore({ endpoints: etcd.endpoints, logger: silentLogger() });
  });
  after(async () => {
    await real.close();
    await etcd.stop();
  });

  it('answers what etcd answers', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step(), { minLength: 1, maxLength: 12 }), async (steps) => {
        run += 1;
        const fake = new MemoryStore();
        const prefix = `/alike/${run}/`;
        expect(await outcome(real, prefix, steps)).to.deep.equal(
          await outcome(fake, prefix, steps),
        );
        await fake.close();
      }),
      { numRuns: 60 },
    );
  });
});

interface Step {
  readonly comparisons: readonly Comparison[];
  readonly operations: readonly Operation[];
}

const KEYS = ['a', 'a/1', 'a/2', 'b', 'ü', '\u{1f600}'];

/** A small random transaction over few keys, so that they meet. Keys lack the run's prefix. */
function step(): fc.Arbitrary<Step> {
  const key = fc.constantFrom(...KEYS);
  const value = fc.constantFrom('', '1', '2').map(bytes);
  const comparison: fc.Arbitrary<Comparison> = fc.oneof(
    fc.record({ key, is: fc.constant('absent' as const) }),
    fc.record({ key, is: fc.constant('present' as const) }),
    fc.record({ key, is: fc.constant('equal' as const), value }),
    fc.record({ key, is: fc.constant('at' as const), modRevision: fc.constant(0) }),
  );
  const operation: fc.Arbitrary<Operation> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ put: key, value }) },
    { weight: 2, arbitrary: fc.record({ delete: key }) },
    { weight: 1, arbitrary: fc.record({ deletePrefix: fc.constantFrom('a', 'a/', 'b') }) },
  );
  return fc.record({
    comparisons: fc.array(comparison, { maxLength: 2 }),
    operations: fc.array(operation, { maxLength: 3 }),
  });
}

/** Everything that a store says to the steps and afterwards, with revisions counted from its first. */
async function outcome(store: Store, prefix: string, steps: readonly Step[]): Promise<unknown[]> {
  const start = (await store.range(prefix)).revision;
  const events: WatchEvent[] = [];
  const watch = await store.watch(prefix, (event) => events.push(event));
  const said: unknown[] = [];
  for (const { comparisons, operations } of steps) {
    try {
      const result = await store.transact(
        comparisons.map((each) => ({ ...each, key: prefix + each.key })),
        operations.map((each) => below(prefix, each)),
      );
      said.push([result.kind, result.revision - start]);
    } catch (error) {
      said.push(String(error).replaceAll(prefix, ''));
    }
  }
  const end = await put(store, `${prefix}end`, '');
  await eventually(() => events.some((event) => brief(event, prefix) === 'put end='));
  watch.close();
  const { entries } = await store.range(prefix);
  const left = entries.map((entry) => [
    entry.key.slice(prefix.length),
    entry.value.toString(),
    entry.createRevision - start,
    entry.modRevision - start,
  ]);
  return [...said, end - start, left, events.map((event) => brief(event, prefix)).sort()];
}

function below(prefix: string, operation: Operation): Operation {
  if ('put' in operation) return { ...operation, put: prefix + operation.put };
  if ('delete' in operation) return { delete: prefix + operation.delete };
  return { deletePrefix: prefix + operation.deletePrefix };
}
