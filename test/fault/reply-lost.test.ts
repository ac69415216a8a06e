// Requests arrive and are carried out, and their replies never come: of writes, of the store, and of registrations whose agent
// is killed before it hears that it is registered.
import { expect } from 'chai';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { rawKeys } from '../support/fault/etcd-keys.js';
import type { FaultCluster } from '../support/fault/fault-cluster.js';
import { loseReplies, loseStoreReplies } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

const REGISTRATIONS = 20;

describe('a reply is lost', function () {
  this.timeout(120_000);
  const faults = useFaultCluster();

  it('of the managers, after the store accepted: no change is lost or made twice', async () => {
    await faults().suffers(loseReplies);
  });

  it('of etcd, to a manager that then does not know: no change is lost or made twice', async () => {
    await faults().suffers(loseStoreReplies);
  });

  it('of a registration whose agent is killed at once, twenty times over: its state stays current', async () => {
    await faults().during(() => registrationsInVain(faults()), {
      fault: 'registrations unheard and agent killed',
    });
    const [node] = faults().cluster.nodes;
    expect(await node!.agent.log()).not.to.include('state-not-current');
  });
});

async function registrationsInVain(faults: FaultCluster): Promise<void> {
  const { cluster, random } = faults;
  const [node] = cluster.nodes;
  const lines = faults.linesOfAgent(0);
  await node!.agent.kill9();
  for (const line of lines) line.swallowReplies(true);
  for (let round = 0; round < REGISTRATIONS; round += 1) {
    const before = await sessions(cluster.etcd.endpoints[0]!);
    await node!.launchAgent();
    // Mostly right after the store has it, sometimes at any moment before or after.
    if (random.chance(0.7)) {
      await eventually(async () => (await sessions(cluster.etcd.endpoints[0]!)) !== before, {
        withinMs: 10_000,
        what: 'a registration in the store',
      });
    } else await delay(random.below(1_500));
    await node!.agent.kill9();
    for (const line of lines) line.cut();
    for (const line of lines) line.heal();
    for (const line of lines) line.swallowReplies(true);
  }
  for (const line of lines) line.cut();
  for (const line of lines) line.heal();
  await node!.startAgent();
}

/** What etcd has of the sessions of all nodes, as text. */
async function sessions(etcdUrl: string): Promise<string> {
  const keys = await rawKeys(etcdUrl, '/clusterflux/clusters/test/uids/');
  return keys.map(({ value }) => value).join('\n');
}
