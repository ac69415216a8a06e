import { expect } from 'chai';
import {
  broughtGroups,
  looked,
  type ShardsSeen,
} from '../../../../../agent/gateway/placement/own-shards-look.js';
import { NEW_STATE } from '../../../../../agent/gateway/placement/own-shards-state.js';
import type { KnownGroup } from '../../../../../shared/meta/lineage.js';
import type { PlacedGroup } from '../../../../../shared/placement/model.js';

const PLACED: PlacedGroup = {
  id: 5,
  database: 'db',
  policy: 'p',
  databaseMark: 1,
  policyMark: 1,
  startNs: 0n,
  endNs: 10n,
  shards: [{ id: 50, owners: [{ node: 1 }] }],
};

function local(id: string, more: Partial<KnownGroup> = {}): KnownGroup {
  const times = { startNs: '0', endNs: '10' };
  return { id, database: 'db', policy: 'p', ...times, deleted: false, shards: [id], ...more };
}

function seen(more: Partial<ShardsSeen> & { index?: string; clusterId?: string } = {}): ShardsSeen {
  const { index = '9', clusterId = 'c', ...rest } = more;
  return {
    lineage: { clusterId, term: '0', index, groups: [local('3')] },
    loaded: new Set(['3']),
    owned: [PLACED],
    written: new Set(),
    isExpired: () => false,
    ...rest,
  };
}

describe("a look at this node's shards", () => {
  const before = looked(NEW_STATE, seen());

  it('remembers which local shard has the points of a group', () => {
    expect([...before.shards]).to.deep.equal([[5, ['3']]]);
    expect(before.lost.size).to.equal(0);
  });

  it('finds local shards by overlap in time, whatever their bounds are', () => {
    const groups = [
      local('3', { startNs: '-90', endNs: '1' }),
      local('4', { startNs: '9', endNs: '99' }),
      local('6', { startNs: '10', endNs: '20' }),
      local('7', { policy: 'q' }),
      local('8', { deleted: true }),
    ];
    const { lineage } = seen();
    const loaded = new Set(['3', '4', '6', '7', '8']);
    const after = looked(NEW_STATE, seen({ lineage: { ...lineage, groups }, loaded }));
    expect([...after.shards]).to.deep.equal([[5, ['3', '4']]]);
  });

  for (const [what, later, isLost] of [
    ['nothing changed', seen(), false],
    ['influxd went on', seen({ index: '12' }), false],
    ['a shard is not loaded any more', seen({ loaded: new Set() }), true],
    ['another influxd answers', seen({ clusterId: 'd' }), true],
    ['an older copy of its metadata is back', seen({ index: '8' }), true],
    ['what is gone was expired', seen({ loaded: new Set(), isExpired: () => true }), false],
    ['the group is not in the placement any more', seen({ owned: [], loaded: new Set() }), false],
  ] as const) {
    it(`${isLost ? 'says that points may lack' : 'trusts the node'} where ${what}`, () => {
      expect(looked(before, later).lost.has(5)).to.equal(isLost);
    });
  }

  for (const [what, later, isLost] of [
    ['has a loaded shard', {}, false],
    ['has none', { loaded: new Set<string>() }, true],
    [
      'has none because influxd deleted its group',
      {
        loaded: new Set<string>(),
        lineage: { clusterId: 'c', term: '0', index: '9', groups: [local('3', { deleted: true })] },
      },
      false,
    ],
  ] as const) {
    it(`${isLost ? 'misses' : 'does not miss'} points that were written since the last look where their group ${what}`, () => {
      const written = new Set([5]);
      const state = { ...NEW_STATE, clusterId: 'c', term: 0n, index: 9n, written };
      const after = looked(state, seen({ ...later, written }));
      expect(after.lost.has(5)).to.equal(isLost);
      // What was said to be gone is not missed again.
      expect(after.written.has(5)).to.equal(!isLost);
    });
  }

  it('does not miss what was written only after it had asked what is loaded', () => {
    const state = { ...NEW_STATE, clusterId: 'c', term: 0n, index: 9n, written: new Set([5]) };
    const after = looked(state, seen({ loaded: new Set() }));
    expect(after.lost.has(5)).to.equal(false);
    expect(after.written.has(5)).to.equal(true);
  });

  it('does not miss a shard that influxd deleted with its group, of several that overlap', () => {
    const { lineage } = seen();
    const groups = [local('3', { endNs: '5' }), local('4', { startNs: '5' })];
    const both = { loaded: new Set(['3', '4']), lineage: { ...lineage, groups } };
    const had = looked(NEW_STATE, seen(both));
    const deleted = [local('3', { endNs: '5', deleted: true }), local('4', { startNs: '5' })];
    const later = { loaded: new Set(['4']), lineage: { ...lineage, groups: deleted } };
    expect(looked(had, seen(later)).lost.has(5)).to.equal(false);
  });

  it('suspects also groups that it never saw points of, where another influxd answers', () => {
    const none = looked(NEW_STATE, seen({ loaded: new Set() }));
    expect(looked(none, seen({ clusterId: 'd', loaded: new Set() })).lost.has(5)).to.equal(true);
  });

  it('forgets no suspicion at the next look', () => {
    const lost = looked(before, seen({ loaded: new Set() }));
    expect(looked(lost, seen()).lost.has(5)).to.equal(true);
  });
});

describe('what a joining server brings along', () => {
  it('are the groups of shared databases with loaded shards', () => {
    const { lineage } = seen();
    const groups = [
      local('1'),
      local('2', { shards: ['99'] }),
      local('3', { deleted: true }),
      local('4', { database: 'hidden' }),
    ];
    const loaded = new Set(['1', '3', '4']);
    const brought = broughtGroups(
      { lineage: { ...lineage, groups }, loaded },
      (name) => name === 'db',
    );
    expect(brought.map(({ id }) => id)).to.deep.equal(['1']);
  });
});
