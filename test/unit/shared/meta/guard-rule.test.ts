import { expect } from 'chai';
import fc from 'fast-check';
import {
  countAll,
  countChanges,
  describeLoss,
  GUARD_WINDOW_MS,
  guardQuestion,
  guardVerdict,
  heldDigest,
  NO_COUNTS,
  unprovenChanges,
  withinWindow,
  type PassedDrops,
} from '../../../../shared/meta/guard-rule.js';
import { schemaOf, type SchemaObject } from '../../../../shared/meta/model.js';
import { anySchema, database, policy, query, user } from '../../../support/schema-builders.js';

function losses(before: SchemaObject[], after: SchemaObject[]): string[] {
  return unprovenChanges(schemaOf(before), schemaOf(after)).map(describeLoss);
}

describe('the guard: what loses points', () => {
  const week = policy('t', 'week', { hours: 168 });
  const cases: [string, SchemaObject[], SchemaObject[], string[]][] = [
    ['a dropped database', [database('t')], [], ['database t: dropped with all its points']],
    [
      'a database with its policy: the database alone',
      [database('t'), week],
      [],
      ['database t: dropped with all its points'],
    ],
    [
      'a dropped policy',
      [database('t'), week],
      [database('t')],
      ['retention policy t.week: dropped with all its points'],
    ],
    [
      'a shortened duration',
      [database('t'), week],
      [database('t'), policy('t', 'week', { hours: 72 })],
      ['retention policy t.week: shortened to 72h, older points go'],
    ],
    [
      'a duration that was for ever',
      [database('t'), policy('t', 'all', { hours: 0 })],
      [database('t'), policy('t', 'all', { hours: 24 })],
      ['retention policy t.all: shortened to 24h, older points go'],
    ],
    [
      'not a longer duration',
      [database('t'), week],
      [database('t'), policy('t', 'week', { hours: 336 })],
      [],
    ],
    [
      'not a duration that becomes for ever',
      [database('t'), week],
      [database('t'), policy('t', 'week', { hours: 0 })],
      [],
    ],
    [
      'not shorter shard groups',
      [database('t'), week],
      [database('t'), policy('t', 'week', { hours: 168, shardHours: 1 })],
      [],
    ],
    ['not a query and not a user', [query('t', 'q', 'A'), user('u')], [], []],
    ['nothing of what is new', [], [database('t'), week], []],
  ];
  for (const [what, before, after, expected] of cases) {
    it(what, () => expect(losses(before, after)).to.deep.equal(expected));
  }

  it('loses nothing from a schema to itself, and every database to an empty one', () => {
    fc.assert(
      fc.property(anySchema, (schema) => {
        expect(unprovenChanges(schema, schema)).to.deep.equal([]);
        const all = countChanges(unprovenChanges(schema, new Map()));
        expect(all).to.deep.equal({ databases: countAll(schema).databases, policies: 0 });
      }),
      { numRuns: 50 },
    );
  });
});

describe('the guard: how many pass', () => {
  // Databases dropped, of how many, with how many dropped within the hour before; by the default of 5.
  const table: [number, number, number, 'pass' | 'hold'][] = [
    [0, 0, 0, 'pass'],
    [0, 2, 9, 'pass'],
    [1, 1, 0, 'pass'],
    [1, 2, 0, 'pass'],
    [1, 2, 1, 'hold'],
    [2, 2, 0, 'hold'],
    [2, 3, 0, 'hold'],
    [2, 4, 0, 'hold'],
    [2, 5, 0, 'pass'],
    [3, 6, 0, 'hold'],
    [3, 7, 0, 'pass'],
    [5, 11, 0, 'pass'],
    [5, 10, 0, 'hold'],
    [6, 1000, 0, 'hold'],
    [1, 1000, 4, 'pass'],
    [1, 1000, 5, 'hold'],
  ];
  for (const [now, of, passed, verdict] of table) {
    it(`${now} of ${of} databases after ${passed}: ${verdict}`, () => {
      const databases = (count: number) => ({ databases: count, policies: 0 });
      const question = {
        passed: databases(passed),
        now: databases(now),
        of: { databases: of, policies: of * 2 },
        maxDrops: 5,
      };
      expect(guardVerdict(question)).to.equal(verdict);
    });
  }

  it('measures policies against policies', () => {
    const of = { databases: 100, policies: 4 };
    const policies = (count: number) => ({ databases: 0, policies: count });
    const ask = (count: number) =>
      guardVerdict({ passed: NO_COUNTS, now: policies(count), of, maxDrops: 5 });
    expect([ask(1), ask(2)]).to.deep.equal(['pass', 'hold']);
  });

  it('adds databases and policies up against the limit', () => {
    const of = { databases: 100, policies: 100 };
    const ask = (policies: number) =>
      guardVerdict({ passed: NO_COUNTS, now: { databases: 3, policies }, of, maxDrops: 5 });
    expect([ask(2), ask(3)]).to.deep.equal(['pass', 'hold']);
  });

  it('holds every one with a limit of 0', () => {
    const of = { databases: 100, policies: 100 };
    const now = { databases: 0, policies: 1 };
    expect(guardVerdict({ passed: NO_COUNTS, now, of, maxDrops: 0 })).to.equal('hold');
  });
});

describe('the guard: the hour', () => {
  const one = { databases: 1, policies: 0 };
  const passed = (atMs: number, all: number): PassedDrops => ({
    atMs,
    counts: one,
    of: { databases: all, policies: all },
  });

  it('forgets what passed an hour ago, and what a clock that was set put far ahead', () => {
    const now = 10 * GUARD_WINDOW_MS;
    const kept = withinWindow(
      [
        passed(now - GUARD_WINDOW_MS, 9),
        passed(now - GUARD_WINDOW_MS + 1, 8),
        passed(now + 5, 7),
        passed(now + 24 * GUARD_WINDOW_MS, 6),
      ],
      now,
    );
    expect(kept.map(({ of }) => of.databases)).to.deep.equal([8, 7]);
  });

  it('measures one drop after the other against all that there were at first', () => {
    const question = guardQuestion([passed(0, 5), passed(1, 4)], {
      now: one,
      of: { databases: 3, policies: 3 },
      maxDrops: 5,
    });
    expect(question.passed).to.deep.equal({ databases: 2, policies: 0 });
    expect(question.of).to.deep.equal({ databases: 5, policies: 5 });
    expect(guardVerdict(question)).to.equal('hold');
  });
});

describe('the name of a held list', () => {
  const before = schemaOf([database('a'), database('b'), policy('b', 'p', { hours: 9 })]);
  const shortened = (hours: number) =>
    heldDigest(unprovenChanges(before, schemaOf([database('b'), policy('b', 'p', { hours })])));

  it('is the same in any order, and short', () => {
    const changes = unprovenChanges(before, new Map());
    expect(heldDigest(changes)).to.match(/^[0-9a-f]{16}$/);
    expect(heldDigest([...changes].reverse())).to.equal(heldDigest(changes));
  });

  it('is another for another object, another change and another duration', () => {
    const [key] = [...before.keys()];
    const names = new Set([
      heldDigest([]),
      heldDigest(unprovenChanges(before, new Map())),
      heldDigest([{ key: key ?? '', change: 'drop' }]),
      heldDigest([{ key: key ?? '', change: 'shorten' }]),
      shortened(8),
      shortened(7),
    ]);
    expect(names).to.have.length(6);
  });
});
