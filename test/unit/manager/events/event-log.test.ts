// The kept events: ids without gaps over all managers, a bound, keys that make doubles one, and nothing secret.
import { expect } from 'chai';
import { EventLog, MAX_BATCH, type NewEvent } from '../../../../manager/events/event-log.js';
import { Masks } from '../../../../manager/metadata/masks.js';
import { Keys } from '../../../../manager/store/keys.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import type { Store } from '../../../../manager/store/port.js';
import { rangeAll } from '../../../../manager/store/range-all.js';
import { systemClock } from '../../../../shared/lifecycle/clock.js';
import { lossyStore, type Fate } from '../../../support/lossy-store.js';

const signal = new AbortController().signal;
const allKeys = new Keys('/clusterflux');
const keys = allKeys.cluster('c');
const event = (text: string, more: Partial<NewEvent> = {}): NewEvent => ({
  node: null,
  kind: 'join',
  text,
  ...more,
});

describe('the kept events', () => {
  let store: MemoryStore;
  beforeEach(() => {
    store = new MemoryStore();
  });
  afterEach(() => store.close());

  const logOver = (over: Store, maxEvents = 1_000) =>
    new EventLog({
      store: over,
      masks: new Masks({ store: over, keys: allKeys }),
      clock: systemClock(),
      maxEvents,
    });
  const all = (log: EventLog) => log.list(keys, { since: undefined, limit: 10_000 }, signal);

  it('are numbered from 1 without gaps, also by two managers at once', async () => {
    const [one, two] = [logOver(store), logOver(store)];
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 === 0 ? one : two).append(
          keys,
          [event(`e${index}`), event(`f${index}`)],
          signal,
        ),
      ),
    );
    const ids = (await all(logOver(store))).map(({ id }) => id);
    expect(ids).to.deep.equal(Array.from({ length: 80 }, (_, index) => index + 1));
  });

  it('are given from an id on, oldest first, and the newest where no id is given', async () => {
    const log = logOver(store);
    for (let batch = 0; batch < 6; batch++) {
      const texts = Array.from({ length: MAX_BATCH }, (_, index) => `${batch}-${index}`);
      await log.append(
        keys,
        texts.map((text) => event(text)),
        signal,
      );
    }
    const since = await log.list(keys, { since: 7, limit: 3 }, signal);
    expect(since.map(({ id }) => id)).to.deep.equal([8, 9, 10]);
    const newest = await log.list(keys, { since: undefined, limit: 2 }, signal);
    expect(newest.map(({ id }) => id)).to.deep.equal([119, 120]);
    expect(await log.list(keys, { since: 0, limit: 10_000 }, signal)).to.have.length(120);
  });

  it('are no more than the limit: the oldest go, with their keys', async () => {
    const log = logOver(store, 10);
    for (let index = 1; index <= 35; index++) {
      await log.append(keys, [event(`e${index}`, { key: `k${index}` })], signal);
    }
    expect((await all(log)).map(({ id }) => id)).to.deep.equal([
      26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
    ]);
    expect((await rangeAll(store, keys.eventKeys)).entries).to.have.length(10);
  });

  it('become fewer where the limit was lowered', async () => {
    for (let batch = 0; batch < 5; batch++) {
      await logOver(store).append(
        keys,
        Array.from({ length: 20 }, () => event('e')),
        signal,
      );
    }
    const log = logOver(store, 10);
    for (let count = 0; count < 5; count++) await log.append(keys, [event('x')], signal);
    expect((await all(log)).map(({ id }) => id))
      .to.have.length(10)
      .and.to.include(105);
  });

  it('with the same key are one, in one batch, later, and over managers; without a key each is its own', async () => {
    const [one, two] = [logOver(store), logOver(store)];
    const keyed = event('lost', { key: 'node-lost 1' });
    expect(await one.append(keys, [keyed, event('x'), keyed], signal)).to.deep.equal([1, 2, 1]);
    expect(await two.append(keys, [keyed], signal)).to.deep.equal([1]);
    const raced = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        (index % 2 === 0 ? one : two).append(keys, [event('y', { key: 'k' })], signal),
      ),
    );
    expect(new Set(raced.flat())).to.deep.equal(new Set([3]));
    await one.append(keys, [event('x')], signal);
    expect(await all(one)).to.have.length(4);
  });

  it('are written once where the reply of the store was lost', async () => {
    const fates: Fate[] = ['answered', 'reply-lost', 'request-lost', 'answered'];
    const log = logOver(lossyStore(store, () => fates.shift() ?? 'answered'));
    expect(await log.append(keys, [event('a')], signal)).to.deep.equal([1]);
    expect(await log.append(keys, [event('b')], signal)).to.deep.equal([2]);
    expect((await all(log)).map(({ text }) => text)).to.deep.equal(['a', 'b']);
  });

  it('go on counting after their cluster was deleted', async () => {
    const log = logOver(store);
    await log.append(keys, [event('a', { key: 'k' }), event('b')], signal);
    await store.transact([], [{ deletePrefix: keys.events }, { deletePrefix: keys.eventKeys }]);
    expect(await log.append(keys, [event('c', { key: 'k' })], signal)).to.deep.equal([3]);
    expect((await all(log)).map(({ id }) => id)).to.deep.equal([3]);
  });

  it('hold no hash, no password and no credentials of a URL, wherever they stand', async () => {
    const log = logOver(store);
    const hash = '$2a$10$abcdefghijklmnopqrstuuN3aaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
    const secrets = [hash, 'hunter2', 'ann:pw', 's3cret'];
    await log.append(
      keys,
      [
        event(`user ann: ${hash}; SET PASSWORD FOR "ann" = 'hunter2'; to http://ann:pw@h/x`, {
          before: { user: { password: 'hunter2', hash }, list: [`udp://ann:pw@h:1`] },
          after: { token: 's3cret', text: `CREATE USER x WITH PASSWORD 'hunter2'` },
        }),
      ],
      signal,
    );
    const { entries } = await rangeAll(store, keys.base);
    const kept = entries.map(({ value }) => value.toString()).join('\n');
    for (const secret of secrets) expect(kept).to.not.include(secret);
    const [first] = await all(log);
    expect(first?.text).to.match(/^user ann: hmac:[0-9a-f]{12}; SET PASSWORD FOR "ann" = 'hmac:/);
    expect(first?.before)
      .to.have.nested.property('user.hash')
      .that.matches(/^hmac:/);
  });

  it('keep what is masked already as it is, so that equal secrets show as equal', async () => {
    const log = logOver(store);
    const before = { password: 'hmac:0123456789ab', destinations: ['http://(hidden)@h:1'] };
    await log.append(keys, [event('x', { before })], signal);
    expect((await all(log))[0]?.before).to.deep.equal(before);
  });

  it('are cut where they are long, never refused', async () => {
    const log = logOver(store);
    const deep = JSON.parse('['.repeat(200) + ']'.repeat(200)) as unknown;
    await log.append(
      keys,
      [event('x'.repeat(100_000), { before: { a: 'y'.repeat(500_000) }, after: deep })],
      signal,
    );
    const [first] = await all(log);
    expect(first?.text).to.have.length(2_000);
    expect(first?.before).to.deep.equal({ 'omitted-characters': 500_008 });
    expect(JSON.stringify(first).length).to.be.lessThan(5_000);
  });

  it('of the largest size fit into one transaction', async () => {
    const log = logOver(store, 20);
    const large = Array.from({ length: MAX_BATCH }, (_, index) =>
      event('→'.repeat(2_000), {
        before: { a: '→'.repeat(7_900) },
        after: { a: '→'.repeat(7_900) },
        key: `${index}${'ü'.repeat(120)}`,
      }),
    );
    const more = large.map((each, index) => ({ ...each, key: `more ${index}` }));
    await log.append(keys, large, signal);
    expect(await log.append(keys, more, signal)).to.have.length(MAX_BATCH);
  });
});
