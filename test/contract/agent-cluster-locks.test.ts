// The agent's locks over a real manager: held by one, renewed by its fence, free again.
import { expect } from 'chai';
import {
  createHttpClusterLocks,
  type ClusterLocks,
} from '../../agent/manager-api/cluster-locks.js';
import { ManagerClient } from '../../agent/manager-api/manager-client.js';
import { takeLock } from '../../agent/restart/held-lock.js';
import { systemClock } from '../../shared/lifecycle/clock.js';
import { silentLogger } from '../../shared/log/logger.js';
import { startTestManager, type TestManager } from '../support/manager.js';

describe("the agent's locks over a manager", () => {
  const { signal } = new AbortController();
  let manager: TestManager;
  let client: ManagerClient;
  let locks: ClusterLocks;
  before(async () => {
    manager = await startTestManager({ listen: true });
    client = new ManagerClient({ endpoints: [manager.url] });
    locks = createHttpClusterLocks(client);
    const body = JSON.stringify({ hostname: 'h', uid: 'a' });
    const headers = { 'content-type': 'application/json' };
    await fetch(`${manager.url}/nodes/a%20b`, { method: 'POST', body, headers });
  });
  after(async () => {
    client.close();
    await manager.close();
  });

  const take = (holder: string) =>
    takeLock(
      {
        locks,
        cluster: 'a b',
        request: { name: 'x/y', holder, ttlMs: 2_000 },
        clock: systemClock(),
        logger: silentLogger(),
      },
      signal,
    );

  it('lists the members', async () => {
    expect((await locks.members('a b', signal)).map(({ uid }) => uid)).to.deep.equal(['a']);
  });

  it('has one holder at a time, who renews and frees it', async () => {
    const first = await take('a');
    if (first.kind !== 'held') return expect.fail(first.kind);
    expect(await take('b')).to.deep.equal({ kind: 'taken', holder: 'a' });
    expect(await first.lock.renew(signal)).to.equal(true);
    await first.lock.release();
    const second = await take('b');
    if (second.kind !== 'held') return expect.fail(second.kind);
    // Lost, and got back later: another one may have held it meanwhile.
    await locks.release('a b', { name: 'x/y', holder: 'b' }, signal);
    expect(await second.lock.renew(signal)).to.equal(false);
    await second.lock.release();
  });

  it('says that a cluster is unknown', async () => {
    const request = { name: 'x', holder: 'a', ttlMs: 2_000 };
    const error: unknown = await locks.acquire('none', request, signal).catch((e: unknown) => e);
    expect(error).to.have.property('code', 'cluster-not-found');
  });
});
