// Writing versions: who wins, what a lost reply becomes, and that one version never has two contents.
import { expect } from 'chai';
import fc from 'fast-check';
import { parseTag } from '../../../../shared/api/version-tag.js';
import { nextDigest } from '../../../../shared/meta/digest.js';
import type { WriteOutcome } from '../../../../manager/metadata/publisher.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import type { Services } from '../../../../manager/services.js';
import { lossyStore, type Fate } from '../../../support/lossy-store.js';
import { snapshotWith } from '../../../support/snapshots.js';
import { servicesOver } from '../../../support/services.js';

const never = new AbortController().signal;

function write(
  services: Services,
  seenVersion: number,
  bytes: Buffer,
  options: { key?: string; signal?: AbortSignal } = {},
): Promise<WriteOutcome> {
  return services.publisher.write(
    services.views.of('c'),
    {
      seenVersion,
      bytes,
      ifMatch: undefined,
      idempotencyKey: options.key,
      author: {},
    },
    options.signal ?? never,
  );
}

describe('publisher', () => {
  let store: MemoryStore;
  beforeEach(() => {
    store = new MemoryStore();
  });
  afterEach(() => store.close());

  it('names each version by the digest over the one before and the content', async () => {
    const services = servicesOver(store);
    await write(services, 0, snapshotWith('a'));
    const second = await write(services, 1, snapshotWith('b'));
    const digest = nextDigest(nextDigest(undefined, snapshotWith('a')), snapshotWith('b'));
    expect(second).to.have.nested.property('tag.digest', digest);
    services.views.close();
  });

  for (const fate of ['reply-lost', 'request-lost'] as const) {
    it(`answers accepted, never lost, when a ${fate.replace('-', ' was ')}`, async () => {
      const fates: Fate[] = [fate, fate, 'answered'];
      const services = servicesOver(lossyStore(store, () => fates.shift() ?? 'answered'));
      const outcome = await write(services, 0, snapshotWith('a'));
      expect(outcome).to.have.property('kind', 'accepted');
      expect((await services.views.of('c').feed.newest())?.tag.version).to.equal(1);
      services.views.close();
    });
  }

  it('is refused when a delayed request arrives after it was sent again', async () => {
    const fates: Fate[] = ['delayed', 'answered'];
    const lossy = lossyStore(store, () => fates.shift() ?? 'answered');
    const services = servicesOver(lossy);
    expect(await write(services, 0, snapshotWith('a'))).to.have.property('kind', 'accepted');
    await lossy.arrive();
    expect((await services.views.of('c').feed.newest())?.tag.version).to.equal(1);
    services.views.close();
  });

  it('says outcome-unknown, never lost, when no reply comes until the deadline', async () => {
    const services = servicesOver(lossyStore(store, () => 'request-lost'));
    const signal = AbortSignal.timeout(100);
    let code: unknown;
    await write(services, 0, snapshotWith('a'), { signal }).catch((error: unknown) => {
      code = (error as { code: string }).code;
    });
    expect(code).to.equal('outcome-unknown');
    services.views.close();
  });

  it('tells a writer who comes back with its key what became of the lost reply', async () => {
    const fates: Fate[] = ['reply-lost'];
    const services = servicesOver(lossyStore(store, () => fates.shift() ?? 'answered'));
    const signal = AbortSignal.abort();
    await write(services, 0, snapshotWith('a'), { key: 'k', signal }).catch(() => undefined);
    const again = await write(services, 0, snapshotWith('a'), { key: 'k' });
    expect(again).to.have.nested.property('tag.version', 1);
    services.views.close();
  });

  it('keeps a snapshot whose compressed form does not fit into a transaction', async () => {
    const services = servicesOver(store);
    const { randomBytes } = await import('node:crypto');
    const { user, snapshotOf } = await import('../../../support/snapshots.js');
    const users = Array.from({ length: 30_000 }, (_, index) =>
      user(`user-${index}`, randomBytes(64).toString('base64')),
    );
    const body = snapshotOf(...users);
    expect(body.length).to.be.greaterThan(2_000_000);
    expect(await write(services, 0, body)).to.have.property('kind', 'accepted');
    const other = servicesOver(store);
    const newest = await other.views.of('c').feed.newest();
    expect(newest?.record.inline).to.equal(undefined);
    expect((await newest?.bytes())?.equals(body)).to.equal(true);
    services.views.close();
    other.views.close();
  });

  it('lets exactly one of several writers win each version, and nobody sees one with two contents', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            manager: fc.nat(1),
            writes: fc.integer({ min: 1, max: 4 }),
          }),
          { minLength: 2, maxLength: 5 },
        ),
        fc.infiniteStream(
          fc.constantFrom<Fate>('answered', 'answered', 'reply-lost', 'request-lost', 'delayed'),
        ),
        async (writers, fates) => {
          const world = new MemoryStore();
          const lossy = lossyStore(world, () => fates.next().value as Fate);
          const managers = [servicesOver(lossy), servicesOver(lossy)];
          const seen = new Map<number, Set<string>>();
          const won: number[] = [];
          const note = (version: number, digest: string) => {
            seen.set(version, (seen.get(version) ?? new Set()).add(digest));
          };
          await Promise.all(
            writers.map(async ({ manager, writes }, writer) => {
              const services = managers[manager]!;
              let version = 0;
              for (let count = 0; count < writes;) {
                const outcome = await write(services, version, snapshotWith(`w${writer}-${count}`));
                if (outcome.kind === 'accepted') {
                  won.push(outcome.tag.version);
                  note(outcome.tag.version, outcome.tag.digest);
                  version = outcome.tag.version;
                  count += 1;
                } else {
                  version = outcome.newest?.tag.version ?? 0;
                  if (outcome.newest !== undefined) {
                    note(version, outcome.newest.tag.digest);
                  }
                }
              }
            }),
          );
          await lossy.arrive();
          const newest = await managers[0]!.views.of('c').feed.newest();
          const total = writers.reduce((sum, { writes }) => sum + writes, 0);
          expect(newest?.tag.version).to.equal(total);
          expect(won.sort((a, b) => a - b)).to.deep.equal(
            Array.from({ length: total }, (_, index) => index + 1),
          );
          for (const digests of seen.values()) expect(digests.size).to.equal(1);
          for (const services of managers) services.views.close();
          await world.close();
        },
      ),
      { numRuns: 40 },
    );
  }).timeout(30_000);

  it('parses the tags that it gives', async () => {
    const services = servicesOver(store);
    await write(services, 0, snapshotWith('a'));
    const tag = (await services.views.of('c').feed.newest())?.tag;
    expect(parseTag(`"${tag?.incarnation}.${tag?.version}.${tag?.digest}"`)).to.deep.equal(tag);
    services.views.close();
  });
});
