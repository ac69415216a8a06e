// Failed attempts by address.
import { expect } from 'chai';
import { fakeClock } from '../../../../shared/lifecycle/clock.js';
import { Failures } from '../../../../shared/peer-auth/failures.js';

describe('failed attempts', () => {
  it('are answered as such up to the limit, then not until the minute is over, each address by itself', async () => {
    const clock = fakeClock();
    const failures = new Failures({ maxPerMinute: 2, clock });
    const note = (address: string) => failures.note(address);
    expect([note('a'), note('a'), note('a')]).to.deep.equal([undefined, undefined, 60]);
    expect(note('b')).to.equal(undefined);
    await clock.advance(30_000);
    expect(note('a')).to.equal(30);
    await clock.advance(30_000);
    expect(note('a')).to.equal(undefined);
  });
});
