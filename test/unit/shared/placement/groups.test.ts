// How groups are made: what holds for every cluster, database and order of asking.
import { expect } from 'chai';
import fc from 'fast-check';
import {
  makeGroup,
  rangeAround,
  replicasFor,
  type PolicyFacts,
} from '../../../../shared/placement/groups.js';
import type { PlacedGroup } from '../../../../shared/placement/model.js';
import { endOf, takes, validatePlacement } from '../../../../shared/placement/rules.js';

const HOUR_NS = 3_600_000_000_000n;

const policy = (fields: Partial<PolicyFacts> = {}): PolicyFacts => ({
  database: 'db',
  policy: 'autogen',
  databaseMark: 1,
  policyMark: 1,
  durationNs: 0n,
  shardDurationNs: 168n * HOUR_NS,
  replication: 1,
  ...fields,
});

const members = fc
  .uniqueArray(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 20 })
  .map((ids) => [...ids].sort((a, b) => a - b));
const replication = fc.integer({ min: 1, max: 6 });
/** From 1700 to 2240 or so. */
const time = fc.bigInt({ min: -8_500_000_000_000_000_000n, max: 8_500_000_000_000_000_000n });

function made(
  ids: readonly number[],
  of: PolicyFacts,
  timeNs: bigint,
  neighbours: readonly PlacedGroup[] = [],
): PlacedGroup {
  const next = {
    group: 1 + Math.max(0, ...neighbours.map((group) => group.id)),
    shard: 1 + Math.max(0, ...neighbours.flatMap(({ shards }) => shards.map(({ id }) => id))),
  };
  return makeGroup({
    members: ids,
    minReplication: 3,
    policy: of,
    timeNs,
    neighbours,
    ids: next,
  });
}

const ownersOf = (group: PlacedGroup) =>
  group.shards.map(({ owners }) => owners.map(({ node }) => node));

describe('a shard group', () => {
  it('has shards of as many owners as the members allow, and gives no node more than one', () => {
    fc.assert(
      fc.property(members, replication, fc.string(), time, (ids, copies, database, timeNs) => {
        const owners = ownersOf(made(ids, policy({ replication: copies, database }), timeNs));
        const wanted = replicasFor(ids.length, copies, 3);
        expect(wanted).to.equal(Math.min(ids.length, Math.max(copies, 3)));
        expect(owners).to.have.length(Math.max(1, Math.floor(ids.length / wanted)));
        for (const each of owners) expect(each).to.have.length(wanted);
        expect(new Set(owners.flat()).size).to.equal(owners.flat().length);
        for (const node of owners.flat()) expect(ids).to.include(node);
      }),
    );
  });

  it('has the same owners as all others of its database while the members stay the same', () => {
    fc.assert(
      fc.property(members, fc.string(), time, time, (ids, database, first, second) => {
        const of = policy({ database });
        const other = policy({ database, policy: 'week' });
        expect(ownersOf(made(ids, of, first))).to.deep.equal(ownersOf(made(ids, other, second)));
      }),
    );
  });

  it('is on every node of a cluster of up to three', () => {
    for (const ids of [[7], [3, 9], [1, 2, 3]]) {
      expect([...ownersOf(made(ids, policy(), 0n)).flat()].sort()).to.deep.equal(ids);
    }
  });

  it('spreads databases over the members of a larger cluster', () => {
    const ids = [1, 2, 3, 4, 5, 6];
    const firsts = new Set(
      Array.from({ length: 50 }, (_, index) =>
        String(ownersOf(made(ids, policy({ database: `db${index}` }), 0n))[0]),
      ),
    );
    expect(firsts.size).to.be.greaterThan(3);
  });

  it('takes the time that it was made for, and never overlaps another, in any order of asking', () => {
    const ask = fc.record({
      hour: fc.integer({ min: -100, max: 100 }),
      shardHours: fc.constantFrom(1, 5, 24, 168),
      cutHours: fc.option(fc.integer({ min: 0, max: 30 })),
    });
    fc.assert(
      fc.property(fc.array(ask, { maxLength: 25 }), (asks) => {
        let groups: PlacedGroup[] = [];
        for (const { hour, shardHours, cutHours } of asks) {
          const timeNs = BigInt(hour) * HOUR_NS + 1n;
          // The policy's shard duration changes meanwhile, and groups are cut.
          const of = policy({ shardDurationNs: BigInt(shardHours) * HOUR_NS });
          if (!groups.some((group) => takes(group, timeNs))) {
            const group = made([1, 2, 3], of, timeNs, groups);
            expect(takes(group, timeNs)).to.equal(true);
            groups = [...groups, group];
          }
          if (cutHours !== null) groups = groups.map((group) => cutAt(group, timeNs, cutHours));
          expect(validatePlacement({ groups })).to.deep.equal([]);
        }
      }),
    );
  });

  it('begins and ends as in InfluxDB: weeks on Mondays, and days and hours of UTC', () => {
    const wednesday = BigInt(Date.parse('2026-03-04T12:30:00Z')) * 1_000_000n;
    const text = (ns: bigint) => new Date(Number(ns / 1_000_000n)).toISOString();
    const range = (shardHours: number, hours: number) => {
      const { startNs, endNs } = rangeAround(wednesday, {
        shardDurationNs: BigInt(shardHours) * HOUR_NS,
        durationNs: BigInt(hours) * HOUR_NS,
      });
      return [text(startNs), text(endNs)];
    };
    const week = ['2026-03-02T00:00:00.000Z', '2026-03-09T00:00:00.000Z'];
    const day = ['2026-03-04T00:00:00.000Z', '2026-03-05T00:00:00.000Z'];
    const hour = ['2026-03-04T12:00:00.000Z', '2026-03-04T13:00:00.000Z'];
    expect(range(168, 0)).to.deep.equal(week);
    expect(range(24, 0)).to.deep.equal(day);
    // Where the policy names no shard duration, as influxd takes it.
    expect(range(0, 0)).to.deep.equal(week);
    expect(range(0, 180 * 24)).to.deep.equal(week);
    expect(range(0, 48)).to.deep.equal(day);
    expect(range(0, 47)).to.deep.equal(hour);
  });
});

/** With a cut that counts, some hours after `timeNs`, where it falls into the group. */
function cutAt(group: PlacedGroup, timeNs: bigint, hours: number): PlacedGroup {
  const atNs = timeNs + BigInt(hours) * HOUR_NS;
  if (group.cut !== undefined || atNs < group.startNs || atNs >= endOf(group)) return group;
  return { ...group, cut: { atNs, confirmed: [1, 2, 3], counts: true } };
}
