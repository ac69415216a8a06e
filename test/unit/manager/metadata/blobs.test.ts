// Large values: what fits where, and that a write whose chunks were swept away is made anew instead of naming nothing.
import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import {
  BlobStore,
  CHUNK_BYTES,
  SMALL_BLOB_BYTES,
} from '../../../../manager/metadata/blob-store.js';
import { Keys } from '../../../../manager/store/keys.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import { createServices } from '../../../../manager/services.js';
import { systemClock } from '../../../../shared/lifecycle/clock.js';
import { silentLogger } from '../../../../shared/log/logger.js';
import type { Operation, Store } from '../../../../manager/store/port.js';
import { snapshotOf, user } from '../../../support/snapshots.js';

const signal = new AbortController().signal;

describe('blobs', () => {
  let store: MemoryStore;
  let blobs: BlobStore;
  const keys = new Keys('/cf').cluster('c');
  beforeEach(() => {
    store = new MemoryStore();
    blobs = new BlobStore({ store, nowMs: () => Date.now() });
  });
  afterEach(() => store.close());

  const keep = async (bytes: Buffer) => {
    const blob = await blobs.prepare(keys, bytes, signal);
    const { kind } = await store.transact(blob.comparisons, blob.operations);
    expect(kind).to.equal('committed');
    return blob;
  };

  for (const size of [1, SMALL_BLOB_BYTES / 2, CHUNK_BYTES, 3 * CHUNK_BYTES + 1, 9_000_000]) {
    it(`come back as they were put: ${size} bytes that cannot be compressed`, async () => {
      const bytes = randomBytes(size);
      const { ref } = await keep(bytes);
      expect((await blobs.read(keys, ref))?.equals(bytes)).to.equal(true);
    });
  }

  it('are put with what names them while they are small, and before it under a seal otherwise', async () => {
    const small = await blobs.prepare(keys, Buffer.from('x'), signal);
    expect([small.comparisons.length, small.operations.length]).to.deep.equal([0, 1]);
    const large = await blobs.prepare(keys, randomBytes(2 * CHUNK_BYTES), signal);
    expect([large.comparisons.length, large.operations.length]).to.deep.equal([1, 0]);
    expect(large.ref.chunks).to.equal(3);
  });

  it('are missing, not damaged, where a chunk is', async () => {
    const { ref } = await keep(randomBytes(2 * CHUNK_BYTES));
    await store.transact([], [{ delete: keys.chunkOf(ref.id, 1) }]);
    expect(await blobs.read(keys, ref)).to.equal(undefined);
  });

  it('whose seal was swept before the write are put anew', async () => {
    let isSwept = false;
    // Deletes all chunks right before the first transaction that moves the pointer.
    const sweeping: Store = {
      location: 'memory',
      get: (...args) => store.get(...args),
      range: (...args) => store.range(...args),
      watch: (...args) => store.watch(...args),
      grantLease: (...args) => store.grantLease(...args),
      keepAlive: (...args) => store.keepAlive(...args),
      revokeLease: (...args) => store.revokeLease(...args),
      health: () => store.health(),
      close: () => store.close(),
      transact: async (comparisons, operations, ...rest) => {
        if (!isSwept && operations.some((operation) => puts(operation, keys.meta))) {
          isSwept = true;
          await store.transact([], [{ deletePrefix: keys.chunks }]);
        }
        return store.transact(comparisons, operations, ...rest);
      },
    };
    const services = createServices({
      store: sweeping,
      logger: silentLogger(),
      clock: systemClock(),
      prefix: '/cf',
      ttlMs: 15_000,
      history: 10,
      maxDrops: 5,
      maxEvents: 1_000,
      placement: {
        minReplication: 3,
        initialNodes: 1,
        outAfterMs: 86_400_000,
        cutLeadMs: 120_000,
      },
    });
    const bytes = snapshotOf(user('u', randomBytes(2 * CHUNK_BYTES).toString('base64')));
    const outcome = await services.publisher.write(
      services.views.of('c'),
      { seenVersion: 0, ifMatch: undefined, bytes, idempotencyKey: undefined, author: {} },
      signal,
    );
    expect([isSwept, outcome.kind]).to.deep.equal([true, 'accepted']);
    const kept = await services.history.get(services.views.of('c'), 1, signal);
    expect(kept.bytes.equals(bytes)).to.equal(true);
    services.views.close();
  });
});

function puts(operation: Operation, key: string): boolean {
  return 'put' in operation && operation.put === key;
}
