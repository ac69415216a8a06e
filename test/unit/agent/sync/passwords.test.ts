// A user's password that travelled beside its statement: no restart is needed, and another salt is no change of anybody's.
import { expect } from 'chai';
import type { ObjectOf } from '../../../../shared/meta/model.js';
import { keyOf } from '../../../../shared/meta/model.js';
import { readSchema } from '../../../../shared/meta/snapshot.js';
import { LIVE_MODE } from '../../../../agent/sync/port.js';
import type { SimulatedNode } from '../../../support/simulated-node.js';
import { simulate } from '../../../support/simulated-node.js';

async function userOf(node: SimulatedNode, name: string) {
  const schema = readSchema(await node.influx.readMemory());
  return schema.get(keyOf({ kind: 'user', path: [name] })) as ObjectOf<'user'> | undefined;
}

describe('passwords that the agent was told', () => {
  const { signal } = new AbortController();

  async function twoNodes() {
    const cluster = simulate(2);
    const [first, second] = cluster.nodes as [SimulatedNode, SimulatedNode];
    await cluster.settle();
    /** The text behind what the first node has now, as its agent would send it. */
    const tell = async (user: string, text: string) => {
      second.passwords.set(`${user} ${(await userOf(first, user))?.value.hash ?? ''}`, text);
    };
    return { cluster, first, second, tell };
  }

  it('bring a new user into being on another node, and are nobody change of a password', async () => {
    const { cluster, first, second, tell } = await twoNodes();
    first.user(`CREATE USER "alice" WITH PASSWORD 'one' WITH ALL PRIVILEGES`);
    await tell('alice', 'one');
    await cluster.settle();
    const user = await userOf(second, 'alice');
    expect(user?.value.admin).to.equal(true);
    expect(second.reconciler.lastReport?.pending).to.deep.equal([]);
    const version = second.reconciler.lastReport?.version;
    await cluster.settle();
    expect(first.reconciler.lastReport?.version).to.equal(version);
  });

  it('change it where it was changed, and the two come to rest', async () => {
    const { cluster, first, second, tell } = await twoNodes();
    first.user(`CREATE USER "alice" WITH PASSWORD 'one'`);
    await tell('alice', 'one');
    await cluster.settle();
    const before = (await userOf(second, 'alice'))?.value.hash;
    first.user(`SET PASSWORD FOR "alice" = 'two'`);
    await tell('alice', 'two');
    await cluster.settle();
    expect((await userOf(second, 'alice'))?.value.hash).to.not.equal(before);
    expect(second.reconciler.lastReport).to.deep.include({ pending: [], inStep: true });
    const version = first.reconciler.lastReport?.version;
    await cluster.settle();
    expect(second.reconciler.lastReport?.version).to.equal(version);
  });

  it('leave a change pending that they are not for', async () => {
    const { cluster, first, second } = await twoNodes();
    first.user(`CREATE USER "alice" WITH PASSWORD 'one'`);
    second.passwords.set('alice $2a$10$of-another-hash', 'one');
    await cluster.settle();
    expect(await userOf(second, 'alice')).to.equal(undefined);
    expect(second.reconciler.lastReport?.pending).to.have.length(1);
  });

  it('take a statement between the ticks to the cluster at once', async () => {
    const { cluster, first, second } = await twoNodes();
    const { result, report } = await first.reconciler.around(async (limit) => {
      const done = await first.influx.execute('CREATE DATABASE "db"', limit);
      return { done, hasChanged: true };
    }, signal);
    expect(result.done.kind).to.equal('done');
    expect(report?.steps.map(({ direction }) => direction)).to.include('push');
    await second.reconciler.tick(LIVE_MODE, signal);
    await cluster.settle();
    expect(second.lines.join()).to.include('"db"');
  });
});
