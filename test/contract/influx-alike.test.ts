// The fake influxd and a real one side by side, so that whatever is tested on the fake holds for the real one.
import { expect } from 'chai';
import fc from 'fast-check';
import type { Schema } from '../../shared/meta/model.js';
import { anyStatement } from '../support/any-statement.js';
import { fakeServer, realServer, schemaOf, type Server } from '../support/influx-servers.js';

describe('influx control: the fake beside a real influxd', () => {
  let real: Server;
  before(async () => {
    real = await realServer();
  });
  after(() => real.remove());

  it('gives the same answers, the same schema and the same Index steps for any statements', async function () {
    this.timeout(40_000);
    const fake = await fakeServer();
    let last = await indexes(fake, real);
    await fc.assert(
      fc.asyncProperty(fc.array(anyStatement(), { minLength: 8, maxLength: 8 }), async (texts) => {
        for (const text of texts) {
          const [a, b] = [await fake.control.execute(text), await real.control.execute(text)];
          expect(a, `fake, ${text}`).to.deep.equal(b);
          const now = await indexes(fake, real);
          expect(now.fake - last.fake, `Index of the fake after ${text}`).to.equal(
            now.real - last.real,
          );
          last = now;
        }
        expect(comparable(await schemaOf(fake.control))).to.deep.equal(
          comparable(await schemaOf(real.control)),
        );
      }),
      { numRuns: 60, seed: 1, endOnFailure: true },
    );
  });
});

async function indexes(fake: Server, real: Server): Promise<{ fake: bigint; real: bigint }> {
  return {
    fake: (await fake.control.readMemory()).Index,
    real: (await real.control.readMemory()).Index,
  };
}

/** Password hashes have salts; everything else must be equal. */
function comparable(schema: Schema): [string, unknown][] {
  return [...schema]
    .map(([key, { kind, value }]): [string, unknown] => [
      key,
      kind === 'user' ? { ...value, hash: '' } : value,
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
