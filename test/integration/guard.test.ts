// What an operator decides: mass drops that were seen after a gap, objects that a joining server brought back, a pause. On real
// servers, by the command line.
import { expect } from 'chai';
import { rm } from 'node:fs/promises';
import type { EventBody } from '../../shared/api/events.js';
import type { HeldList } from '../../shared/api/orders.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';

const NAMES = ['d1', 'd2', 'd3', 'd4', 'd5', 'd6', 'd7', 'd8'];

describe('the guard', function () {
  this.timeout(60_000);
  const cluster = useCluster({ nodes: 2 });
  const databases = (index: number) => cluster().nodes[index]!.influxd.names('SHOW DATABASES');
  /** Nodes register in any order. */
  const idOf = async (index: number) => String((await cluster().nodes[index]!.status()).node);

  async function events(): Promise<EventBody[]> {
    const result = await cluster().cli('events', '--since', '0', '-o', 'json');
    expect(result, result.stderr).to.include({ code: 0 });
    return JSON.parse(result.stdout) as EventBody[];
  }

  /** The held list of the first node, once a manager has the one that the node itself has. */
  async function held(count: number): Promise<void> {
    await eventually(async () => {
      const there = await cluster().nodes[0]!.status();
      const args = ['meta', 'approve', await idOf(0), '--dry-run', '--drop', '-o', 'json'];
      const { stdout } = await cluster().cli(...args);
      const told = JSON.parse(stdout) as { held: HeldList | null; 'dry-run': boolean };
      expect(told['dry-run']).to.equal(true);
      expect(told.held?.items).to.deep.equal(there.held);
      expect(told.held?.count).to.equal(count);
    });
  }

  /** Most databases go from the first node while its agent is not there; a manager knows that they are held. */
  async function dropSixWhileAway(): Promise<void> {
    const [node] = cluster().nodes;
    await node!.agent.stop();
    for (const name of NAMES.slice(0, 6)) await node!.influxd.query(`DROP DATABASE "${name}"`);
    await node!.startAgent();
    await held(6);
  }

  before(async () => {
    const [node] = cluster().nodes;
    for (const name of NAMES) {
      await node!.influxd.query(`CREATE DATABASE "${name}"`);
    }
    await cluster().converged();
    for (const { influxd } of cluster().nodes) {
      for (const name of NAMES) await influxd.write(name, 'm v=1');
    }
    await cluster().converged();
  });

  it('holds a mass drop that was made while the agent was away; the others keep everything', async () => {
    await dropSixWhileAway();
    expect(await databases(1)).to.include.members(NAMES);
    const status = await cluster().nodes[0]!.status();
    expect(status.held[0]).to.include({ kind: 'guard', object: 'database d1' });
    expect(status.held[0]?.command).to.match(/clusterflux meta approve \d/);
    await eventually(async () => {
      const told = (await events()).filter(({ kind }) => kind === 'guard');
      expect(told).to.have.lengthOf(6);
    });
  });

  it('goes on with everything else meanwhile, also after kill -9', async () => {
    const [a, b] = cluster().nodes;
    await b!.influxd.query('CREATE DATABASE "meanwhile"');
    await eventually(async () => expect(await databases(0)).to.include('meanwhile'));
    await a!.agent.kill9();
    await a!.startAgent();
    await a!.influxd.query('CREATE DATABASE "after"');
    await eventually(async () => expect(await databases(1)).to.include('after'));
    expect(await databases(1)).to.include.members(NAMES);
    await held(6);
  });

  it('is told to keep: everything is back where it was dropped', async () => {
    const { code, stderr } = await cluster().cli(
      'meta',
      'approve',
      await idOf(0),
      '--keep',
      '--yes',
    );
    expect(code, stderr).to.equal(0);
    await cluster().converged();
    expect(await databases(0)).to.include.members(NAMES);
    expect(
      await cluster().nodes[1]!.influxd.names('SHOW MEASUREMENTS', { db: 'd1' }),
    ).to.deep.equal(['m']);
  });

  it('is told to let them go: they go everywhere', async () => {
    await dropSixWhileAway();
    const { code, stderr } = await cluster().cli(
      'meta',
      'approve',
      await idOf(0),
      '--drop',
      '--yes',
    );
    expect(code, stderr).to.equal(0);
    await cluster().converged();
    expect(await databases(1)).to.not.include.members(['d1']);
    expect(await databases(1)).to.include.members(['d7', 'd8', 'meanwhile', 'after']);
    await eventually(async () => {
      const kinds = (await events()).map(({ kind }) => kind);
      expect(kinds).to.include.members(['node-registered', 'version', 'guard', 'hold-decided']);
    });
    await eventually(async () => {
      const again = await cluster().cli('meta', 'approve', await idOf(0), '--drop', '--yes');
      expect(again.stdout + again.stderr).to.match(/holds nothing/);
    });
  });

  it('says what a server that lost its state brings back, and drops it when told so', async () => {
    const [a, b] = cluster().nodes;
    const id = await idOf(0);
    await a!.agent.stop();
    await rm(a!.stateDir, { recursive: true });
    await b!.influxd.query('DROP DATABASE "d7"');
    await eventually(async () => {
      const log = (await events()).filter(({ kind }) => kind === 'version');
      expect(log.at(-1)?.text).to.match(/d7/);
    });
    // The old identity would hold its influxd for as long as it counts as alive.
    await cluster().cli('nodes', 'forget', id, '--yes');
    await a!.launchAgent();
    await eventually(async () => {
      const status = await a!.status();
      expect(status.held.map(({ object }) => object)).to.deep.equal(['database d7']);
    });
    await held(1);
    expect(await databases(0)).to.include('d7');
    expect(await databases(1)).to.not.include('d7');
    const { code, stderr } = await cluster().cli(
      'meta',
      'approve',
      await idOf(0),
      '--drop',
      '--yes',
    );
    expect(code, stderr).to.equal(0);
    await cluster().converged();
    expect(await databases(0)).to.not.include('d7');
  });
});

describe('a pause', function () {
  this.timeout(60_000);
  const cluster = useCluster({ nodes: 2 });
  const databases = (index: number) => cluster().nodes[index]!.influxd.names('SHOW DATABASES');
  /** Nodes register in any order. */
  const idOf = async (index: number) => String((await cluster().nodes[index]!.status()).node);

  it('of one node keeps it as it is, through kill -9 and without a manager, until it is resumed', async () => {
    const [a, b] = cluster().nodes;
    const id = await idOf(0);
    const paused = await cluster().cli('pause', id, '--reason', 'looking at it', '--wait', '15s');
    expect(paused.code, paused.stderr).to.equal(0);
    await b!.influxd.query('CREATE DATABASE "there"');
    await a!.influxd.query('CREATE DATABASE "here"');
    await a!.agent.kill9();
    const [manager] = cluster().managers;
    await manager!.stop();
    await a!.launchAgent();
    await eventually(async () => expect((await a!.status()).node).to.equal(null));
    await manager!.start();
    await eventually(async () => {
      const { sentence } = await a!.status();
      expect(sentence).to.match(/this node is paused by .*: looking at it; nothing is pushed/);
    });
    expect(await databases(0)).to.not.include('there');
    expect(await databases(1)).to.not.include('here');
    const resumed = await cluster().cli('resume', id);
    expect(resumed.code, resumed.stderr).to.equal(0);
    await cluster().converged();
    expect(await databases(0)).to.include.members(['here', 'there']);
  });

  it('of the cluster holds all of its nodes', async () => {
    const result = await cluster().cli('pause', '--wait', '15s');
    expect(result.code, result.stderr).to.equal(0);
    await cluster().nodes[0]!.influxd.query('CREATE DATABASE "later"');
    for (const node of cluster().nodes) {
      expect((await node.status()).sentence).to.match(/the whole cluster is paused/);
    }
    expect(await databases(1)).to.not.include('later');
    const resumed = await cluster().cli('resume');
    expect(resumed.code, resumed.stderr).to.equal(0);
    await cluster().converged();
    expect(await databases(1)).to.include('later');
  });
});
