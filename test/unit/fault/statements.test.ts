// The model of what the workload's users did, against the fake influxd: what a statement is said to leave is what it leaves.
import { expect } from 'chai';
import { FakeInflux } from '../../../agent/influxd/fake-influx.js';
import { readSchema } from '../../../shared/meta/snapshot.js';
import { mismatch, Unit } from '../../support/fault/model.js';
import { seededRandom } from '../../support/fault/random.js';
import {
  EVERYWHERE_USER,
  keysByUnit,
  nextStatement,
  unitId,
} from '../../support/fault/statements.js';

const STATEMENTS = 400;

describe('the statements of the workload', () => {
  for (const kind of ['database', 'user'] as const) {
    it(`leave of a ${kind} what the model says that they leave, and none is refused`, () => {
      const influx = new FakeInflux();
      influx.run(`CREATE USER "${EVERYWHERE_USER}" WITH PASSWORD 'everywhere'`);
      const unit = new Unit('w0.1', kind, 0);
      const random = seededRandom(7);
      const seen = new Set<string>();
      for (let count = 0; count < STATEMENTS; count += 1) {
        const statement = nextStatement(unit, unit.state!, random);
        if (statement === undefined) continue;
        seen.add(statement.text.split(' ').slice(0, 2).join(' '));
        expect(influx.run(statement.text), statement.text).to.have.property('kind', 'done');
        unit.done(statement);
        const schema = readSchema(influx.data);
        const there = keysByUnit(schema).get(unitId(kind, unit.name)) ?? [];
        expect(mismatch(unit, schema, there), statement.text).to.equal(undefined);
      }
      expect(seen.size).to.be.greaterThan(3);
    });
  }

  it('are the same again for the same seed', () => {
    const texts = (seed: number) => {
      const [unit, random] = [new Unit('w0.1', 'database', 0), seededRandom(seed)];
      return Array.from({ length: 50 }, () => {
        const statement = nextStatement(unit, unit.state!, random);
        if (statement !== undefined) unit.done(statement);
        return statement?.text;
      });
    };
    expect(texts(1)).to.deep.equal(texts(1));
    expect(texts(1)).not.to.deep.equal(texts(2));
  });
});
