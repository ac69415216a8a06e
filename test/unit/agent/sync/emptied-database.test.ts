// A database whose points all lay in a policy that was dropped is still the same database: found by test/fault under load.
import { expect } from 'chai';
import { simulate } from '../../../support/simulated-node.js';

describe('a database that loses the policy with all of its points', () => {
  it('is not taken for another one: nothing but the policy is dropped, anywhere', async () => {
    const cluster = simulate(2);
    const [one, two] = [cluster.nodes[0]!, cluster.nodes[1]!];
    one.user('CREATE DATABASE "a"');
    one.user('CREATE RETENTION POLICY "b" ON "a" DURATION 300h REPLICATION 1');
    await cluster.settle();
    one.influx.write('a', 'b', BigInt(Date.now()) * 1_000_000n);
    two.influx.write('a', 'autogen', BigInt(Date.now()) * 1_000_000n);
    await cluster.settle();
    const executed: string[] = [];
    two.observer = {
      looked: () => undefined,
      appended: () => undefined,
      executed: (statement) => executed.push(statement),
      written: () => undefined,
    };
    one.user('DROP RETENTION POLICY "b" ON "a"');
    await cluster.settle();
    expect(executed).to.deep.equal(['DROP RETENTION POLICY "b" ON "a"']);
  });
});
