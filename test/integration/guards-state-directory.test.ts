// An agent's state directory that was lost, restored from yesterday, or copied to a second node: the cluster loses nothing, and
// an agent that does not know what it did last is refused, by name and with the way out.
import { expect } from 'chai';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';

describe('a state directory', function () {
  this.timeout(60_000);
  const cluster = useCluster({ nodes: 2 });
  const other = () => cluster().nodes[0]!;
  const node = () => cluster().nodes[1]!;
  const databases = (at: ClusterNode) => at.influxd.names('SHOW DATABASES');
  const kept = () => join(cluster().dir, 'state-of-yesterday');

  before(async () => {
    await other().influxd.query('CREATE DATABASE "kept"');
    await other().influxd.query('CREATE DATABASE "dropped while away"');
    await cluster().converged();
    await node().influxd.write('kept', 'm v=1 1000000000');
    await cluster().converged();
  });

  it('that was restored from yesterday is refused, changes nothing, and comes back by a rejoin', async () => {
    await node().agent.stop();
    await cp(node().stateDir, kept(), { recursive: true });
    await node().startAgent();
    await other().influxd.query('CREATE DATABASE "since yesterday"');
    await cluster().converged();
    await node().agent.kill9();
    await rm(node().stateDir, { recursive: true });
    await cp(kept(), node().stateDir, { recursive: true });
    // Both sides change meanwhile: with yesterday's base each would look like a drop or an echo.
    await other().influxd.query('DROP DATABASE "since yesterday"');
    await node().influxd.query('CREATE DATABASE "of this node"');
    await node().launchAgent();
    await untilRefused(node());
    expect(await databases(other()))
      .to.include.members(['kept'])
      .and.not.include('of this node');
    expect(await databases(node())).to.include('since yesterday');

    await node().agent.stop();
    const rejoined = await node().cli('agent', 'rejoin');
    expect(rejoined.code, rejoined.stderr).to.equal(0);
    await node().startAgent();
    await eventually(async () => expect(await databases(other())).to.include('of this node'), {
      withinMs: 15_000,
    });
    expect(await databases(other()))
      .to.include('kept')
      .and.not.include('since yesterday');
    // Dropped in the cluster, still here: a person decides.
    const { held } = await node().status();
    expect(held.map(({ object }) => object)).to.include('database since yesterday');
    await node().influxd.query('DROP DATABASE "since yesterday"');
    await cluster().converged({ withinMs: 15_000 });
  });

  it('that was lost makes a new node, which joins by union and brings back nothing that was dropped', async () => {
    await node().agent.kill9();
    await rm(node().stateDir, { recursive: true });
    await other().influxd.query('DROP DATABASE "dropped while away"');
    await cluster().converged({ nodes: [other()] });
    await node().launchAgent();
    await eventually(
      async () => {
        const { held } = await node().status();
        expect(held.map(({ object }) => object)).to.include('database dropped while away');
      },
      // The old identity of this very influxd must end first.
      { withinMs: 45_000 },
    );
    expect(await databases(other()))
      .to.include('kept')
      .and.not.include('dropped while away');
    expect(await databases(node())).to.include.members(['kept', 'dropped while away']);
    await node().influxd.query('DROP DATABASE "dropped while away"');
    await cluster().converged({ withinMs: 15_000 });
  });

  it('that was copied to a second node stops the one that is behind, and the first goes on', async () => {
    const second = await cluster().addNode({ withAgent: false });
    await second.influxd.query('CREATE DATABASE "of the copy"');
    // Else the first would be refused for a while, because its influxd still seems to belong to an identity that is gone.
    await eventually(async () => expect(await alive()).to.equal(2), { withinMs: 15_000 });
    await node().agent.stop();
    await cp(node().stateDir, second.stateDir, { recursive: true });
    await node().startAgent();
    expect((await node().status()).node, 'it is registered again').to.be.a('number');
    await second.launchAgent();
    await untilRefused(second);
    await other().influxd.query('CREATE DATABASE "after the copy"');
    await cluster().converged({ nodes: [other(), node()] });
    expect(await databases(second)).to.deep.equal(['of the copy']);
    expect(await databases(other())).to.not.include('of the copy');
  });

  /** How many nodes count as alive. */
  async function alive(): Promise<number> {
    const answer = await fetch(`${cluster().managers[0]!.url}/nodes/test`);
    const nodes = (await answer.json()) as { alive: boolean }[];
    return nodes.filter((each) => each.alive).length;
  }

  async function untilRefused(at: ClusterNode): Promise<void> {
    await eventually(
      async () => {
        const { sentence } = await at.status();
        expect(sentence).to.match(/changes nothing.*restored or copied.*clusterflux agent rejoin/);
      },
      { withinMs: 15_000 },
    );
  }
});
