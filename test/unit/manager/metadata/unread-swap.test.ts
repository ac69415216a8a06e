// A writer that names the version which the watch told last is served without reading it again. That must never let a write
// through over something else: a watch may be behind, and a restored store may show the same revision with other content.
import { expect } from 'chai';
import type { VersionTag } from '../../../../shared/api/version-tag.js';
import type { WriteOutcome } from '../../../../manager/metadata/publisher.js';
import type { Services } from '../../../../manager/services.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import type { Store } from '../../../../manager/store/port.js';
import { snapshotWith } from '../../../support/snapshots.js';
import { servicesOver } from '../../../support/services.js';

const never = new AbortController().signal;

function write(
  services: Services,
  seen: VersionTag | undefined,
  bytes: Buffer,
): Promise<WriteOutcome> {
  const request = {
    seenVersion: seen?.version ?? 0,
    bytes,
    ifMatch: seen,
    idempotencyKey: undefined,
    author: {},
  };
  return services.publisher.write(services.views.of('c'), request, never);
}

async function accepted(
  services: Services,
  seen: VersionTag | undefined,
  name: string,
): Promise<VersionTag> {
  const outcome = await write(services, seen, snapshotWith(name));
  if (outcome.kind !== 'accepted') throw new Error(`not accepted: ${outcome.kind}`);
  return outcome.tag;
}

/** A store whose watches never tell anything, and that can be exchanged for another one under its users. */
function switchable(first: Store): {
  store: Store;
  switchTo: (other: Store) => void;
  reads: () => number;
} {
  let current = first;
  let reads = 0;
  const store = new Proxy({} as Store, {
    get(_, name: keyof Store) {
      if (name === 'watch') return async () => ({ close: () => undefined });
      if (name === 'range') reads += 1;
      const value: unknown = Reflect.get(current, name);
      return typeof value === 'function' ? (value.bind(current) as unknown) : value;
    },
  });
  return { store, switchTo: (other) => (current = other), reads: () => reads };
}

describe('a write over the version that was heard last', () => {
  const opened: MemoryStore[] = [];
  const memory = () => {
    const store = new MemoryStore();
    opened.push(store);
    return store;
  };
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
  });

  it('reads nothing before it swaps', async () => {
    const { store, reads } = switchable(memory());
    const services = servicesOver(store);
    const one = await accepted(services, undefined, 'a');
    const before = reads();
    const two = await accepted(services, one, 'b');
    expect([two.version, reads() - before]).to.deep.equal([2, 0]);
    services.views.close();
  });

  it('is lost where another manager has written and the watch has not told yet', async () => {
    const shared = memory();
    const here = servicesOver(switchable(shared).store);
    const there = servicesOver(shared);
    const one = await accepted(here, undefined, 'a');
    const two = await accepted(there, one, 'b');
    const outcome = await write(here, one, snapshotWith('c'));
    expect(outcome.kind === 'lost' && outcome.newest?.tag).to.deep.equal(two);
    for (const each of [here, there]) each.views.close();
  });

  it('is not accepted over a restored store that shows the same revision with other content', async () => {
    const [original, restored] = [memory(), memory()];
    const { store, switchTo } = switchable(original);
    const services = servicesOver(store);
    const one = await accepted(services, undefined, 'a');
    const seen = await accepted(services, one, 'b');
    const other = servicesOver(restored);
    await accepted(other, await accepted(other, undefined, 'a'), 'another b');
    switchTo(restored);
    const outcome = await write(services, seen, snapshotWith('c'));
    expect(outcome.kind).to.equal('lost');
    expect(outcome.kind === 'lost' && outcome.forked).to.equal(true);
    for (const each of [services, other]) each.views.close();
  });
});
