// Waiting work is taken in turn from each client, in each client's own order, and never more than allowed.
import { expect } from 'chai';
import fc from 'fast-check';
import { FairQueue } from '../../../../../agent/gateway/auth/fair-queue.js';

describe('a fair queue', () => {
  it('takes one of each client in turn', () => {
    const queue = new FairQueue<string>({ maxPerClient: 10, max: 100 });
    for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) queue.put(item.charAt(0), item);
    const taken = Array.from({ length: 7 }, () => queue.take());
    expect(taken).to.deep.equal(['a1', 'b1', 'c1', 'a2', 'c2', 'a3', undefined]);
  });

  it('refuses what is too much for one client, or in all', () => {
    const queue = new FairQueue<number>({ maxPerClient: 2, max: 3 });
    expect([1, 2, 3].map((item) => queue.put('a', item))).to.deep.equal([true, true, false]);
    expect([1, 2].map((item) => queue.put(`b${item}`, item))).to.deep.equal([true, false]);
    expect(queue.length).to.equal(3);
  });

  it('never loses, doubles or reorders what one client put in', () => {
    const moves = fc.array(fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.constant(undefined)));
    fc.assert(
      fc.property(moves, (steps) => {
        const queue = new FairQueue<{ client: string; number: number }>({
          maxPerClient: 5,
          max: 12,
        });
        const put = new Map<string, number[]>();
        const taken = new Map<string, number[]>();
        const note = (to: typeof put, client: string, number: number) =>
          to.set(client, [...(to.get(client) ?? []), number]);
        const take = () => {
          const item = queue.take();
          if (item !== undefined) note(taken, item.client, item.number);
        };
        steps.forEach((client, number) => {
          if (client === undefined) take();
          else if (queue.put(client, { client, number })) note(put, client, number);
        });
        while (queue.length > 0) take();
        expect(taken).to.deep.equal(put);
      }),
    );
  });
});
