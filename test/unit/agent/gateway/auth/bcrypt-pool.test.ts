// The real threads: right and wrong, in turn, without keeping the event loop waiting, and gone when they are closed.
import { expect } from 'chai';
import { hashSync } from 'bcryptjs';
import {
  createBcryptPool,
  type BcryptPool,
} from '../../../../../agent/gateway/auth/bcrypt-pool.js';
import { eventually } from '../../../../support/eventually.js';

/** The least cost that bcrypt has: a run takes 2 ms. */
const CHEAP = hashSync('right', 4);
const DEAR = hashSync('right', 10);

describe('the bcrypt threads', () => {
  let pool: BcryptPool;
  beforeEach(() => {
    pool = createBcryptPool({ threads: 1 });
  });
  afterEach(() => pool.close());

  it('tell right from wrong, also for what is no hash', async () => {
    expect(await pool.compare('a', 'right', CHEAP)).to.equal('right');
    expect(await pool.compare('a', 'Right', CHEAP)).to.equal('wrong');
    expect(await pool.compare('a', 'right', 'no hash')).to.equal('wrong');
    expect(await pool.compare('a', 'x'.repeat(100), hashSync('x'.repeat(72), 4))).to.equal('right');
  });

  it('let a client who asks once not wait for one who asks much', async () => {
    const ended: string[] = [];
    const ask = async (client: string, number: number) => {
      await pool.compare(client, `wrong ${number}`, CHEAP);
      ended.push(client);
    };
    const many = Array.from({ length: 15 }, (_, number) => ask('many', number));
    await Promise.all([...many, ask('one', 0)]);
    expect(ended.indexOf('one')).to.be.lessThan(3);
  });

  it('do not run what is too much for one client', async () => {
    const asked = Array.from({ length: 200 }, (_, number) =>
      pool.compare('many', `wrong ${number}`, CHEAP),
    );
    const busy = (await Promise.all(asked)).filter((outcome) => outcome === 'busy');
    expect(busy.length).to.be.within(170, 190);
  });

  it('leave the event loop free while they compute', async () => {
    const compared = pool.compare('a', 'wrong', DEAR);
    let turns = 0;
    let isDone = false;
    void compared.finally(() => (isDone = true));
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      turns += 1;
    }
    expect(turns).to.be.greaterThan(100);
  });

  it('start anew after they ended for want of work', async () => {
    const brief = createBcryptPool({ threads: 1, idleMs: 1 });
    for (let turn = 0; turn < 3; turn += 1) {
      expect(await brief.compare('a', 'right', CHEAP)).to.equal('right');
      await eventually(() => brief.size === 0);
    }
    await brief.close();
  });

  it('end what waits when they are closed', async () => {
    const waiting = [1, 2, 3].map((number) => pool.compare('a', `wrong ${number}`, DEAR));
    await pool.close();
    expect(await Promise.all(waiting)).to.deep.equal(['busy', 'busy', 'busy']);
    expect(await pool.compare('a', 'right', CHEAP)).to.equal('busy');
  });
});
