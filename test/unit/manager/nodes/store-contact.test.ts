// Contact with the store: said once, and nobody counts as dead before a TTL of renewed contact.
import { expect } from 'chai';
import { StoreContact } from '../../../../manager/nodes/store-contact.js';
import { fakeClock } from '../../../../shared/lifecycle/clock.js';
import { memoryLogger } from '../../../../shared/log/logger.js';

describe('store contact', () => {
  it('says once that the store is away, and once that it is back', () => {
    const { contact, logger } = make();
    contact.failed(new Error('x'));
    contact.failed(new Error('y'));
    contact.succeeded();
    contact.succeeded();
    expect(logger.lines.map(({ message }) => message)).to.deep.equal([
      'store out of reach, trying on',
      'store reachable',
    ]);
  });

  it('gives nodes one TTL after an outage, and none at the first contact', async () => {
    const { contact, clock } = make();
    contact.succeeded();
    expect(contact.isInGrace).to.equal(false);
    contact.failed(new Error('x'));
    expect(contact.isInGrace).to.equal(true);
    contact.succeeded();
    await clock.advance(14_999);
    expect(contact.isInGrace).to.equal(true);
    await clock.advance(1);
    expect(contact.isInGrace).to.equal(false);
  });

  it('lets others wait for the first answer, until they give up', async () => {
    const { contact } = make();
    const abort = new AbortController();
    const waiting = contact.answered(abort.signal).catch((error: unknown) => error);
    abort.abort();
    expect(await waiting).to.have.property('code', 'aborted');
    contact.succeeded();
    await contact.answered(new AbortController().signal);
  });
});

function make() {
  const clock = fakeClock();
  const logger = memoryLogger();
  const contact = new StoreContact({
    location: 'memory',
    logger,
    monotonicMs: () => clock.monotonicMs(),
    graceMs: 15_000,
  });
  return { contact, clock, logger };
}
