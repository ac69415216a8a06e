// Shapes that travel both ways come back as they were.
import { expect } from 'chai';
import { marksFromWire, marksSchema, marksToWire } from '../../../../shared/api/marks.js';
import { nextMarks, NO_MARKS } from '../../../../shared/meta/marks.js';
import { schemaOf } from '../../../../shared/meta/model.js';
import { database, policy, user } from '../../../support/snapshots.js';

describe('marks on the wire', () => {
  it('come back as they were, with every kind of object and tombstones', () => {
    const before = schemaOf([
      database('a.b'),
      policy('a.b', 'week "x"'),
      user('alice'),
      { kind: 'privilege', path: ['alice', 'a.b'], value: { level: 1 } },
      { kind: 'continuous-query', path: ['a.b', 'cq'], value: { query: 'q' } },
      {
        kind: 'subscription',
        path: ['a.b', 'week "x"', 's'],
        value: { mode: 'ALL', destinations: [] },
      },
    ]);
    const first = nextMarks(NO_MARKS, new Map(), before, {
      version: 1,
      at: '2026-01-01T00:00:00Z',
    });
    const second = nextMarks(first, before, schemaOf([user('bob')]), {
      version: 2,
      node: 7,
      at: '2026-01-02T00:00:00Z',
    });
    for (const marks of [NO_MARKS, first, second]) {
      const wire = marksSchema.parse(JSON.parse(JSON.stringify(marksToWire(marks))));
      expect(marksFromWire(wire)).to.deep.equal(marks);
    }
  });
});
