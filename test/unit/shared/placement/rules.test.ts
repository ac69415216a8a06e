// What a placement means, and which are refused; and that the wire keeps all of it.
import { expect } from 'chai';
import fc from 'fast-check';
import {
  placementFromWire,
  placementSchema,
  placementToWire,
} from '../../../../shared/api/placement.js';
import { keyOf } from '../../../../shared/meta/model.js';
import type { PlacedGroup, Placement } from '../../../../shared/placement/model.js';
import {
  endOf,
  isVoid,
  overlaps,
  takes,
  validatePlacement,
} from '../../../../shared/placement/rules.js';

const group = (fields: Partial<PlacedGroup> = {}): PlacedGroup => ({
  id: 1,
  database: 'db',
  policy: 'autogen',
  databaseMark: 2,
  policyMark: 3,
  startNs: 0n,
  endNs: 100n,
  shards: [{ id: 1, owners: [{ node: 1 }] }],
  ...fields,
});
const next = (fields: Partial<PlacedGroup> = {}) =>
  group({
    id: 2,
    startNs: 100n,
    endNs: 200n,
    shards: [{ id: 2, owners: [{ node: 1 }] }],
    ...fields,
  });

describe('a placement', () => {
  it('is accepted where its groups follow each other', () => {
    expect(validatePlacement({ groups: [next(), group()] })).to.deep.equal([]);
  });

  it('is refused where two writable groups of a policy overlap', () => {
    const [fault] = validatePlacement({ groups: [group(), next({ startNs: 99n })] });
    expect(fault).to.include('groups 1 and 2').and.include('overlap');
  });

  it('is accepted where the overlap is with an adopted group, another object, or what a cut took away', () => {
    const cut = { atNs: 50n, confirmed: [1], counts: true };
    for (const other of [
      next({ startNs: 50n, isAdopted: true }),
      next({ startNs: 50n, policyMark: 9 }),
      next({ startNs: 50n, policy: 'other' }),
    ]) {
      expect(validatePlacement({ groups: [group(), other] })).to.deep.equal([]);
    }
    expect(validatePlacement({ groups: [group({ cut }), next({ startNs: 50n })] })).to.deep.equal(
      [],
    );
  });

  it('is refused with a cut that does not count yet', () => {
    const cut = { atNs: 50n, confirmed: [1], counts: false };
    expect(validatePlacement({ groups: [group({ cut }), next({ startNs: 50n })] })).to.have.length(
      1,
    );
  });

  it('is refused with a group without shard or owner, an id used twice, or a node with two copies', () => {
    const twice = [
      { id: 5, owners: [{ node: 1 }] },
      { id: 6, owners: [{ node: 1 }] },
    ];
    for (const [groups, word] of [
      [[group({ shards: [] })], 'no shard'],
      [[group({ shards: [{ id: 1, owners: [] }] })], 'no owner'],
      [[group(), next({ id: 1 })], 'group id 1'],
      [[group(), next({ shards: group().shards })], 'shard id 1'],
      [[group({ shards: twice })], 'more than one copy'],
      [[group({ endNs: 0n })], 'ends where it begins'],
    ] as const) {
      expect(validatePlacement({ groups }).join(), word).to.include(word);
    }
  });

  it('survives the wire', () => {
    const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    const owner = fc.record(
      {
        node: fc.integer({ min: 1, max: 99 }),
        incomplete: fc.constant({ since: '2026-01-01T00:00:00Z', why: 'a hint expired' }),
        orderUnsureSince: fc.constant('2026-01-01T00:00:00Z'),
      },
      { requiredKeys: ['node'] },
    );
    const id = fc.integer({ min: 1, max: 1_000_000 });
    const anyGroup: fc.Arbitrary<PlacedGroup> = fc.record(
      {
        id,
        database: fc.string(),
        policy: fc.string(),
        databaseMark: fc.nat(),
        policyMark: fc.nat(),
        startNs: int64,
        endNs: int64,
        cut: fc.record({ atNs: int64, confirmed: fc.array(id), counts: fc.boolean() }),
        isAdopted: fc.constant(true),
        shards: fc.array(fc.record({ id, owners: fc.array(owner, { minLength: 1 }) }), {
          minLength: 1,
          maxLength: 3,
        }),
      },
      {
        requiredKeys: [
          'id',
          'database',
          'policy',
          'databaseMark',
          'policyMark',
          'startNs',
          'endNs',
          'shards',
        ],
      },
    );
    fc.assert(
      fc.property(fc.array(anyGroup, { maxLength: 3 }), (groups) => {
        const placement: Placement = {
          version: 7,
          incarnation: 'i',
          members: [1, 2],
          deletes: 3,
          groups,
        };
        const wire: unknown = JSON.parse(JSON.stringify(placementToWire(placement)));
        expect(placementFromWire(placementSchema.parse(wire))).to.deep.equal(placement);
      }),
    );
  });
});

describe('a group', () => {
  const cut = { atNs: 50n, confirmed: [], counts: false };

  it('ends at a cut only once that counts', () => {
    expect(endOf(group({ cut }))).to.equal(100n);
    expect(endOf(group({ cut: { ...cut, counts: true } }))).to.equal(50n);
  });

  it('takes times from its start up to its end, and none where it was adopted', () => {
    expect([-1n, 0n, 99n, 100n].map((at) => takes(group(), at))).to.deep.equal([
      false,
      true,
      true,
      false,
    ]);
    expect(takes(group({ isAdopted: true }), 50n)).to.equal(false);
  });

  it('is read by its whole range, also behind a cut', () => {
    const ended = group({ cut: { ...cut, counts: true } });
    expect(overlaps(ended, 60n, 70n)).to.equal(true);
    expect(overlaps(ended, 100n, 200n)).to.equal(false);
    expect(overlaps(ended, -10n, 0n)).to.equal(false);
  });

  it('is void once its database or policy bears another mark or is gone', () => {
    const database = keyOf({ kind: 'database', path: ['db'] });
    const policy = keyOf({ kind: 'policy', path: ['db', 'autogen'] });
    const void_ = (...marks: [typeof database, number][]) =>
      isVoid(group(), { marks: new Map(marks) });
    expect(void_([database, 2], [policy, 3])).to.equal(false);
    expect(void_([database, 4], [policy, 3])).to.equal(true);
    expect(void_([database, 2], [policy, 4])).to.equal(true);
    expect(void_([database, 2])).to.equal(true);
    expect(void_()).to.equal(true);
  });
});
