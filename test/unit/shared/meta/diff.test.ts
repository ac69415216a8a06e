import { expect } from 'chai';
import fc from 'fast-check';
import { diffSchemas, formatDuration } from '../../../../shared/meta/diff.js';
import type { SchemaObject } from '../../../../shared/meta/model.js';
import { sameSchema, schemaOf } from '../../../../shared/meta/model.js';
import {
  anySchema,
  database,
  policy,
  privilege,
  query,
  subscription,
  user,
} from '../../../support/schema-builders.js';

function texts(before: SchemaObject[], after: SchemaObject[]): string[] {
  return diffSchemas(schemaOf(before), schemaOf(after)).map(({ text }) => text);
}

describe('the difference of two schemas', () => {
  const cases: [SchemaObject[], SchemaObject[], string][] = [
    [[], [database('telegraf')], 'database telegraf: created'],
    [[database('telegraf')], [], 'database telegraf: dropped'],
    [[database('t', 'a')], [database('t', 'b')], 'database t: default policy a → b'],
    [
      [policy('telegraf', 'week', { hours: 168 })],
      [policy('telegraf', 'week', { hours: 72 })],
      'retention policy telegraf.week: duration 168h → 72h',
    ],
    [
      [policy('t', 'w', { hours: 0 })],
      [policy('t', 'w', { hours: 24, shardHours: 1 })],
      'retention policy t.w: duration inf → 24h, shard duration 168h → 1h',
    ],
    [[query('t', 'q', 'A')], [query('t', 'q', 'B')], 'continuous query t.q: query A → B'],
    [
      [privilege('u', 'd', 1)],
      [privilege('u', 'd', 3)],
      'privilege of u on d: privilege READ → ALL',
    ],
    [[user('u', 'old')], [user('u', 'new')], 'user u: password changed'],
    [
      [subscription(['d', 'p', 's'], 'http://me:secret@h:1')],
      [subscription(['d', 'p', 's'], 'http://me:other@h:1')],
      'subscription d.p.s: destinations changed',
    ],
  ];
  for (const [before, after, expected] of cases) {
    it(expected, () => expect(texts(before, after)).to.deep.equal([expected]));
  }

  it('shows no hash and no credential, in text or values', () => {
    const before = schemaOf([
      user('u', 'HASH-1'),
      subscription(['d', 'p', 's'], 'http://me:PASS-1@h'),
    ]);
    const after = schemaOf([
      user('u', 'HASH-2'),
      subscription(['d', 'p', 's'], 'http://me:PASS-2@h'),
    ]);
    expect(JSON.stringify(diffSchemas(before, after))).not.to.match(/HASH|PASS/);
  });

  it('is empty exactly for equal schemas', () => {
    fc.assert(
      fc.property(anySchema, anySchema, (a, b) => {
        expect(diffSchemas(a, b).length === 0).to.equal(sameSchema(a, b));
        expect(diffSchemas(a, a)).to.deep.equal([]);
      }),
      { numRuns: 300 },
    );
  });

  it('prints durations in the largest unit that leaves no rest', () => {
    const printed = [0n, 1n, 1_500n, 90_000_000_000n, 3_600_000_000_000n].map(formatDuration);
    expect(printed).to.deep.equal(['inf', '1ns', '1500ns', '90s', '1h']);
  });
});
