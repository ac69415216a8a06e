// Passwords: bcrypt once each, wrong ones remembered, a new hash forgets, and too many tries are not looked at.
import { expect } from 'chai';
import type { BcryptOutcome } from '../../../../../agent/gateway/auth/bcrypt-pool.js';
import { PasswordCheck } from '../../../../../agent/gateway/auth/password-check.js';
import { isAppError } from '../../../../../shared/errors/app-error.js';
import { fakeClock } from '../../../../../shared/lifecycle/clock.js';

describe('the check of passwords', () => {
  const clock = fakeClock();
  let runs: string[];
  let outcome: BcryptOutcome | undefined;
  let passwords: PasswordCheck;
  /** A hash here is the word `hash-of-` and the password. */
  const bcrypt = {
    compare: async (_client: string, password: string, hash: string): Promise<BcryptOutcome> => {
      runs.push(password);
      return outcome ?? (hash.startsWith(`hash-of-${password}.`) ? 'right' : 'wrong');
    },
  };
  beforeEach(() => {
    runs = [];
    outcome = undefined;
    passwords = new PasswordCheck({ bcrypt, maxPerMinute: 3, clock });
  });

  const ask = (password: string, { hash = 'hash-of-right.1', user = 'u', address = 'here' } = {}) =>
    passwords.check({ user, password, hash, address }, new AbortController().signal);
  const kind = async (...args: Parameters<typeof ask>) => (await ask(...args)).kind;

  it('runs bcrypt once for each password, right or wrong', async () => {
    for (let turn = 0; turn < 5; turn += 1) {
      expect(await kind('right')).to.equal('right');
      expect(await kind('wrong')).to.equal('wrong');
    }
    expect(runs).to.deep.equal(['right', 'wrong']);
  });

  it('runs it once for many that ask at the same time', async () => {
    const kinds = await Promise.all(Array.from({ length: 50 }, () => kind('right')));
    expect(new Set(kinds)).to.deep.equal(new Set(['right']));
    expect(runs).to.have.length(1);
  });

  it('forgets a password with the hash that it stood for, and one that was wrong then', async () => {
    expect(await kind('right')).to.equal('right');
    expect(await kind('next')).to.equal('wrong');
    await clock.advance(60_000);
    const hash = 'hash-of-next.1';
    expect(await kind('right', { hash })).to.equal('wrong');
    expect(await kind('next', { hash })).to.equal('right');
  });

  it('looks at so many unknown passwords of one user from one address in a minute', async () => {
    const kinds = [];
    for (const password of ['1', '2', '3', '4', '5']) kinds.push(await kind(password));
    expect(kinds).to.deep.equal(['wrong', 'wrong', 'wrong', 'limited', 'limited']);
    expect(await ask('6')).to.deep.equal({ kind: 'limited', retryAfterSeconds: 60 });
    expect(runs).to.have.length(3);
    // What is known is still answered; another user, and the same from elsewhere, are not concerned.
    expect(await kind('1')).to.equal('wrong');
    expect(await kind('right', { address: 'there' })).to.equal('right');
    expect(await kind('right')).to.equal('right');
    expect(await kind('7', { user: 'other' })).to.equal('wrong');
    await clock.advance(60_000);
    expect(await kind('4')).to.equal('wrong');
  });

  it('remembers nothing of a password that was not looked at', async () => {
    outcome = 'busy';
    expect(await ask('right')).to.deep.equal({ kind: 'limited', retryAfterSeconds: 1 });
    outcome = undefined;
    expect(await kind('right')).to.equal('right');
  });

  it('ends a wait at its signal, and keeps what comes out for who asks next', async () => {
    const stop = new AbortController();
    const question = { user: 'u', password: 'right', hash: 'hash-of-right.1', address: 'here' };
    const waiting = passwords.check(question, stop.signal);
    stop.abort();
    const error: unknown = await waiting.catch((thrown: unknown) => thrown);
    expect(isAppError(error, 'aborted')).to.equal(true);
    expect(await kind('right')).to.equal('right');
    expect(runs).to.have.length(1);
  });
});
