// Users travel whole: passwords arrive on every node by restarts of influxd, one node at a time, as few as can be, and never
// while another node is down. Influxd asks for passwords here, as in production.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { startCluster, type TestCluster } from '../support/cluster.js';
import type { ClusterNode } from '../support/cluster-node.js';
import { eventually } from '../support/eventually.js';
import {
  becomeRestartable,
  commandsIn,
  killFileIn,
  supervise,
  type RestartableInfluxd,
} from '../support/restartable.js';

const ADMIN = { u: 'root', p: 'of all nodes' };

/** A restart waits two seconds for more users, and for the nodes before it. */
const WITHIN_MS = 30_000;

/** How node 1, 2 ... is restarted. */
const WAYS = ['command', 'signal', 'command'] as const;

describe('users, whole', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  const influxds: RestartableInfluxd[] = [];
  const downs: DownWatch = { isOver: false, most: 0, running: Promise.resolve() };

  before('start a cluster', async function () {
    this.timeout(120_000);
    cluster = await startCluster({
      nodes: 0,
      influxd: { authEnabled: true },
      config: { influxdb: { 'restart-interval': '1s' } },
    });
    for (const way of WAYS) await addNode({ restart: way });
    await cluster.converged({ withinMs: WITHIN_MS });
    downs.running = watchDowns(influxds, downs);
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.log(await cluster.logTails());
  });
  after('end the cluster', async () => {
    downs.isOver = true;
    await downs.running;
    // Else they would start what is ended next.
    await Promise.all(cluster.nodes.map(({ agent }) => agent.kill9()));
    await Promise.all(influxds.map((each) => each.end()));
    await cluster.stop();
  });

  async function addNode({
    restart,
  }: {
    restart: 'command' | 'signal' | 'off';
  }): Promise<ClusterNode> {
    const name = `node-${cluster.nodes.length + 1}`;
    const passwordFile = join(cluster.dir, 'admin.password');
    await writeFile(passwordFile, ADMIN.p);
    const dir = join(cluster.dir, 'data', name);
    await mkdir(dir, { recursive: true });
    const influxdb = {
      ...commandsIn(dir),
      restart,
      username: ADMIN.u,
      'password-file': passwordFile,
    };
    const node = await cluster.addNode({ config: { influxdb }, withAgent: false });
    await node.influxd.query(
      `CREATE USER "${ADMIN.u}" WITH PASSWORD '${ADMIN.p}' WITH ALL PRIVILEGES`,
    );
    influxds.push(
      restart === 'signal'
        ? await supervise(node.influxd, 0.5)
        : await becomeRestartable(node.influxd),
    );
    await node.startAgent();
    return node;
  }

  const run = (node: ClusterNode, statement: string) =>
    node.influxd.query(statement, { params: ADMIN });

  async function maySee(node: ClusterNode, u: string, p: string): Promise<boolean> {
    return node.influxd.query('SHOW DATABASES', { params: { u, p } }).then(
      () => true,
      (error: unknown) => {
        expect(String(error)).to.contain('authorization failed');
        return false;
      },
    );
  }

  const starts = () => Promise.all(influxds.map((each) => each.starts()));

  it('a password set on any node is the password everywhere, and comes back from nowhere', async () => {
    const [first, , third] = cluster.nodes;
    await run(first!, `CREATE USER "ann" WITH PASSWORD 'one'`);
    await cluster.converged({ withinMs: WITHIN_MS });
    for (const node of cluster.nodes) expect(await maySee(node, 'ann', 'one')).to.equal(true);
    await run(third!, `SET PASSWORD FOR "ann" = 'two'`);
    await cluster.converged({ withinMs: WITHIN_MS });
    for (const node of cluster.nodes) {
      expect(await maySee(node, 'ann', 'two')).to.equal(true);
      expect(await maySee(node, 'ann', 'one')).to.equal(false);
    }
    const version = await versionOf(first!);
    for (const node of cluster.nodes) {
      expect((await node.cli('agent', 'sync')).stdout).to.contain('in step');
    }
    expect(await versionOf(first!)).to.equal(version);
  });

  it('ten users cost each other node one restart', async () => {
    const [first] = cluster.nodes;
    const before = await starts();
    const users = Array.from({ length: 10 }, (_, i) => `CREATE USER "u ${i}" WITH PASSWORD 'p'`);
    await run(first!, users.join('; '));
    await cluster.converged({ withinMs: WITHIN_MS });
    for (const node of cluster.nodes) expect(await maySee(node, 'u 9', 'p')).to.equal(true);
    expect((await starts()).map((count, i) => count - before[i]!)).to.deep.equal([0, 1, 1]);
  });

  it('two passwords of one user at once end as one of them, everywhere', async () => {
    const [first, second] = cluster.nodes;
    await Promise.all([
      run(first!, `SET PASSWORD FOR "ann" = 'left'`),
      run(second!, `SET PASSWORD FOR "ann" = 'right'`),
    ]);
    await cluster.converged({ withinMs: WITHIN_MS });
    const isLeft = await maySee(first!, 'ann', 'left');
    for (const node of cluster.nodes) {
      expect(await maySee(node, 'ann', 'left')).to.equal(isLeft);
      expect(await maySee(node, 'ann', 'right')).to.equal(!isLeft);
    }
  });

  it('nothing is restarted while a member is down, which is named; then it is', async () => {
    const [first, second, third] = cluster.nodes;
    await third!.agent.kill9();
    await eventually(async () => {
      const nodes = await cluster.managers[0]!.get<{ alive: boolean }[]>(`/nodes/${cluster.name}`);
      return nodes.some(({ alive }) => !alive);
    });
    const before = await starts();
    await run(first!, `CREATE USER "blocked" WITH PASSWORD 'p'`);
    await eventually(
      async () => {
        const { pending } = await second!.status();
        expect(pending.map(({ remedy }) => remedy).join()).to.match(/waits: node 3 \(.*\) is down/);
      },
      { withinMs: WITHIN_MS },
    );
    expect(await starts()).to.deep.equal(before);
    await third!.startAgent();
    await cluster.converged({ withinMs: WITHIN_MS });
    expect(await maySee(second!, 'blocked', 'p')).to.equal(true);
  });

  it('an agent that is killed right after it stopped influxd: the next one starts it', async () => {
    const [first, , third] = cluster.nodes;
    await writeFile(killFileIn(third!.influxd.dir), String(third!.agent.pid));
    await run(first!, `CREATE USER "killed" WITH PASSWORD 'p'`);
    await third!.agent.untilEnded(WITHIN_MS);
    expect(await influxds[2]!.answers()).to.equal(false);
    await third!.launchAgent();
    await eventually(() => influxds[2]!.answers(), { withinMs: 10_000 });
    expect(await third!.agent.log()).to.contain(
      'influxd was stopped for a restart that did not end',
    );
    await cluster.converged({ withinMs: WITHIN_MS });
    expect(await maySee(third!, 'killed', 'p')).to.equal(true);
  });

  it('never more than one influxd was down at a time', () => {
    // The one of the agent that was killed was the only one then.
    expect(downs.most).to.equal(1);
  });

  it('where restarts are off they are pending, until somebody says so', async () => {
    const fourth = await addNode({ restart: 'off' });
    const isPending = async () => {
      const { pending } = await fourth.status();
      expect(pending.map(({ object }) => object)).to.contain('user ann');
      expect(pending[0]?.remedy).to.contain('clusterflux agent apply --restart');
    };
    await eventually(isPending);
    const dry = await fourth.cli('agent', 'apply', '--restart', '--dry-run');
    expect(dry.stdout).to.contain('influxd would be restarted, for').and.contain('user ann');
    expect(await influxds[3]!.starts()).to.equal(0);
    const done = await fourth.cli('agent', 'apply', '--restart');
    expect(done.stderr + done.stdout).to.contain('influxd was restarted, for');
    expect(done.code).to.equal(0);
    await cluster.converged({ withinMs: WITHIN_MS });
    expect(await influxds[3]!.starts()).to.equal(1);
    // The same without a running agent.
    await run(cluster.nodes[0]!, `CREATE USER "by hand" WITH PASSWORD 'p'`);
    await fourth.agent.stop();
    const alone = await fourth.cli('agent', 'apply', '--restart');
    expect(alone.stderr + alone.stdout).to.contain('influxd was restarted, for user by hand');
    expect(await maySee(fourth, 'by hand', 'p')).to.equal(true);
  });
});

interface DownWatch {
  isOver: boolean;
  most: number;
  running: Promise<void>;
}

/** Asks all of them all the time, and remembers how many were down at once at most. */
async function watchDowns(
  influxds: readonly RestartableInfluxd[],
  watch: DownWatch,
): Promise<void> {
  while (!watch.isOver) {
    const answers = await Promise.all(influxds.map((each) => each.answers()));
    watch.most = Math.max(watch.most, answers.filter((answer) => !answer).length);
  }
}

async function versionOf(node: ClusterNode): Promise<number> {
  return (await node.status()).version;
}
