import { expect } from 'chai';
import { NO_METADATA } from '../../../../../agent/gateway/metadata/metadata-of.js';
import type { Metadata } from '../../../../../agent/gateway/metadata/port.js';
import { PlacementIndex } from '../../../../../agent/gateway/placement/placement-index.js';
import type { PlacedGroup } from '../../../../../shared/placement/model.js';
import { NO_PLACEMENT } from '../../../../../shared/placement/model.js';

function group(id: number, more: Partial<PlacedGroup> = {}): PlacedGroup {
  return {
    id,
    database: 'db',
    policy: 'p',
    databaseMark: 1,
    policyMark: 2,
    startNs: 0n,
    endNs: 10n,
    shards: [{ id, owners: [{ node: 1 }] }],
    ...more,
  };
}

function metadata(databaseMark: number, policyMark: number): Metadata {
  const policy = { name: 'p', durationNs: 0n, shardDurationNs: 10n, replication: 1 };
  const policies = new Map([['p', { ...policy, mark: policyMark }]]);
  const database = { name: 'db', defaultPolicy: 'p', mark: databaseMark, policies };
  return { ...NO_METADATA, databases: new Map([['db', database]]) };
}

const NOW = metadata(1, 2);

function indexOf(...groups: PlacedGroup[]): PlacementIndex {
  return new PlacementIndex({ ...NO_PLACEMENT, version: 1, groups });
}

describe('the groups of a placement by time', () => {
  const later = group(2, { startNs: 10n, endNs: 20n });

  for (const [time, id] of [
    [-1n, undefined],
    [0n, 1],
    [9n, 1],
    [10n, 2],
    [19n, 2],
    [20n, undefined],
  ] as const) {
    it(`finds ${id === undefined ? 'none' : `group ${id}`} for a point at ${time}`, () => {
      expect(indexOf(later, group(1)).writable(NOW, 'db', 'p', time)?.id).to.equal(id);
    });
  }

  it('has nothing of a database or policy that was dropped and made again', () => {
    const index = indexOf(group(1));
    for (const other of [metadata(3, 2), metadata(1, 3), NO_METADATA]) {
      expect(index.writable(other, 'db', 'p', 0n)).to.equal(undefined);
      expect(index.covering(other, 'db', 'p', 0n, 10n)).to.deep.equal([]);
      expect(index.ofDatabase(other, 'db')).to.deep.equal([]);
    }
  });

  it('writes to the successor from a cut on that counts, and reads both', () => {
    const cut = { atNs: 5n, confirmed: [], counts: true };
    const index = indexOf(group(1, { cut }), group(2, { startNs: 5n }));
    expect(index.writable(NOW, 'db', 'p', 4n)?.id).to.equal(1);
    expect(index.writable(NOW, 'db', 'p', 5n)?.id).to.equal(2);
    expect(index.covering(NOW, 'db', 'p', 7n, 8n).map(({ id }) => id)).to.deep.equal([1, 2]);
  });

  it('has no group for points behind a cut that counts, before there is a successor', () => {
    const cut = { atNs: 5n, confirmed: [], counts: true };
    const index = indexOf(group(1, { cut }));
    expect(index.writable(NOW, 'db', 'p', 4n)?.id).to.equal(1);
    expect(index.writable(NOW, 'db', 'p', 5n)).to.equal(undefined);
  });

  it('writes on behind a cut that not all have confirmed', () => {
    const cut = { atNs: 5n, confirmed: [1], counts: false };
    expect(indexOf(group(1, { cut })).writable(NOW, 'db', 'p', 7n)?.id).to.equal(1);
  });

  it('reads what a server brought along, and never writes it', () => {
    const index = indexOf(group(1, { isAdopted: true }));
    expect(index.writable(NOW, 'db', 'p', 0n)).to.equal(undefined);
    expect(index.covering(NOW, 'db', 'p', 9n, 30n).map(({ id }) => id)).to.deep.equal([1]);
    expect(index.ofDatabase(NOW, 'db').map(({ id }) => id)).to.deep.equal([1]);
  });

  it('covers half-open ranges', () => {
    const index = indexOf(group(1), later);
    const ids = (from: bigint, to: bigint) =>
      index.covering(NOW, 'db', 'p', from, to).map(({ id }) => id);
    expect(ids(0n, 10n)).to.deep.equal([1]);
    expect(ids(9n, 11n)).to.deep.equal([1, 2]);
    expect(ids(20n, 30n)).to.deep.equal([]);
  });
});
