import { expect } from 'chai';
import fc from 'fast-check';
import type { Marks } from '../../../../shared/meta/marks.js';
import { NO_MARKS, nextMarks } from '../../../../shared/meta/marks.js';
import type { Schema } from '../../../../shared/meta/model.js';
import { keyOf, schemaOf } from '../../../../shared/meta/model.js';
import { anySchema, database, policy, user } from '../../../support/schema-builders.js';

const AT = '2026-01-01T00:00:00.000Z';
const X = keyOf({ kind: 'database', path: ['x'] });

function follow(schemas: readonly Schema[], at: (version: number) => string = () => AT): Marks {
  let marks = NO_MARKS;
  let before: Schema = new Map();
  schemas.forEach((schema, index) => {
    marks = nextMarks(marks, before, schema, { version: index + 1, node: 4, at: at(index + 1) });
    before = schema;
  });
  return marks;
}

const empty: Schema = new Map();
const withX = schemaOf([database('x')]);

describe('marks and tombstones', () => {
  it('gives what comes into being the version, and what stays keeps it', () => {
    const both = schemaOf([database('x'), database('y')]);
    const { marks } = follow([withX, both, both]);
    expect([...marks.values()]).to.deep.equal([1, 2]);
  });

  it('gives a re-created name another mark, and remembers the first', () => {
    const { marks, tombstones } = follow([withX, empty, withX]);
    expect(marks.get(X)).to.equal(3);
    expect(tombstones).to.deep.equal([{ key: X, mark: 1, version: 2, node: 4, at: AT }]);
  });

  it('keeps the mark of what is only altered', () => {
    const { marks } = follow([withX, schemaOf([database('x', 'week'), policy('x', 'week')])]);
    expect(marks.get(X)).to.equal(1);
  });

  it('forgets tombstones after 90 days', () => {
    const at = (version: number) => (version < 4 ? AT : '2026-04-02T00:00:00.000Z');
    expect(
      follow([withX, empty, withX, empty], at).tombstones.map(({ version }) => version),
    ).to.deep.equal([4]);
  });

  it('remembers up to which version tombstones were swept', () => {
    const at = (version: number) => (version < 4 ? AT : '2026-04-02T00:00:00.000Z');
    expect(follow([withX, empty, withX], at).sweptThrough).to.equal(0);
    expect(follow([withX, empty, withX, empty, withX], at).sweptThrough).to.equal(2);
  });

  it('has a mark for all that is there, and a tombstone for all users, queries and databases that went', () => {
    fc.assert(
      fc.property(fc.array(anySchema, { minLength: 1, maxLength: 5 }), (schemas) => {
        const { marks, tombstones } = follow(schemas);
        const last = schemas.at(-1)!;
        expect(new Set(marks.keys())).to.deep.equal(new Set(last.keys()));
        const buried = new Set(tombstones.map(({ key }) => key));
        for (const [key, { kind }] of schemas.flatMap((schema) => [...schema])) {
          if (kind !== 'privilege' && !last.has(key)) expect(buried.has(key), key).to.equal(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('names no node where the writer did not', () => {
    const { tombstones } = nextMarks(NO_MARKS, schemaOf([user('u')]), empty, {
      version: 2,
      at: AT,
    });
    expect(tombstones[0]).not.to.have.property('node');
  });
});
