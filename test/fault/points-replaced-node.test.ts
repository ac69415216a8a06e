// A node comes back as something else: under another name and address, with an empty disk, or with its metadata and without its
// data. What it was is told by its uid and by what its influxd has loaded; nobody reads from it what it has lost.
import { expect } from 'chai';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { runOn, SentPoints, untilDirect, untilDrained } from '../support/gateway/sent-points.js';
import type { ConfigValue } from '../support/toml.js';

interface ListedNode {
  readonly id: number;
  readonly hostname: string;
  readonly 'bind-address': string;
}

/** What an operating system of another name would tell the agent. */
const RENAMED =
  "import os from 'node:os'; import { syncBuiltinESMExports } from 'node:module'; os.hostname = () => 'renamed'; syncBuiltinESMExports();";

/** Reads and writes after a change, at least. */
const WATCHED_MS = 1_500;
const PAUSE_MS = 20;

describe('a node comes back', function () {
  this.timeout(60_000);
  const ofThird: Record<string, ConfigValue> = {};
  const cluster = useCluster({
    nodes: 2,
    config: { handoff: { 'retry-interval': '50ms', 'retry-max-interval': '200ms' } },
  });
  const nodes = () => cluster().nodes as [ClusterNode, ClusterNode, ClusterNode];
  let points: SentPoints;

  before(async () => {
    await cluster().addNode({ config: { agent: ofThird } });
    await runOn(nodes()[0], 'CREATE DATABASE kept');
    points = new SentPoints('kept');
    await untilDirect(points, nodes());
  });

  it('under another hostname and address: its points, hints and place are the same', async () => {
    const [first, second, third] = nodes();
    const id = await idOf(third);
    await third.end();
    for (const node of [first, second]) await points.acknowledge(node);
    const address = `127.0.0.1:${await freePort()}`;
    ofThird['bind-address'] = address;
    await third.startInfluxd();
    const data = `data:text/javascript,${encodeURIComponent(RENAMED)}`;
    await third.startAgent({ NODE_OPTIONS: `--import ${data}` });

    await untilDrained([first, second]);
    expect(await third.influxd.names('SELECT v FROM sent', { db: 'kept' })).to.not.have.lengthOf(0);
    const listed = await cluster().managers[0]!.get<ListedNode[]>(`/nodes/${cluster().name}`);
    expect(listed).to.have.lengthOf(3);
    expect(listed.find((node) => node.id === id)).to.deep.include({
      hostname: 'renamed',
      'bind-address': address,
    });
    // Its status has moved with it.
    await third.agent.kill9();
    delete ofThird['bind-address'];
    await third.startAgent();
    expect(await idOf(third)).to.equal(id);
    await points.untilEverywhere(nodes());
    await untilDirect(points, nodes());
  });

  for (const [words, folders] of [
    ['with an empty disk', ['meta', 'data', 'wal']],
    ['with its metadata and without its data', ['data', 'wal']],
  ] as const) {
    it(`${words}, in a moment: nothing that it lacks is read from it, until a person has marked it`, async () => {
      const third = nodes()[2];
      await third.influxd.kill9();
      await wipe(third, folders);
      const watching = watched();
      await third.startInfluxd();
      await watching;
      await restored();
    });

    it(`${words}, while its agent was away and hints wait for it`, async () => {
      const [first, second, third] = nodes();
      await third.end();
      for (const node of [first, second]) await points.acknowledge(node);
      await wipe(third, folders);
      await third.startInfluxd();
      await third.launchAgent();
      await watched();
      await restored();
    });
  }

  /** Reads and writes through every gateway while something happens; each answer is whole. */
  async function watched(): Promise<void> {
    const until = performance.now() + WATCHED_MS;
    await Promise.all(
      nodes().map(async (node) => {
        while (performance.now() < until) {
          // The third's own gateway may not be there yet.
          const { status } = await points.send(node, { count: 1 });
          const known = points.snapshot();
          const read = await points.read(node).catch(() => undefined);
          if (read?.status === 200) known.expectWhole(read.numbers, `node ${read.servedBy}`);
          if (status !== 204 || read?.status !== 200) await delay(PAUSE_MS);
        }
      }),
    );
  }

  /** A person brings back what the third one has lost, and says so. */
  async function restored(): Promise<void> {
    const [first, second, third] = nodes();
    const id = await idOf(third);
    for (const node of nodes()) {
      expect((await points.untilRead(node)).servedBy, node.name).to.not.equal(id);
    }
    await eventually(async () => expect(await incompleteIn(cluster())).to.include(` ${id} `));
    await untilDrained(nodes());
    await cluster().converged();
    await points.untilEverywhere([first, second]);
    await third.influxd.write('kept', points.linesOf(await points.numbersOn(first)));
    const marked = await cluster().cli('shards', 'mark', String(id), 'complete', '--yes');
    expect(marked.code, marked.stderr).to.equal(0);
    await untilDirect(points, nodes());
    await eventually(async () => expect((await points.read(third)).servedBy).to.equal(id));
    await points.untilEverywhere(nodes());
  }
});

async function wipe({ influxd }: ClusterNode, folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    await rm(join(influxd.dir, folder), { recursive: true, force: true });
  }
}

async function idOf(node: ClusterNode): Promise<number> {
  return eventually(
    async () => {
      const { node: id } = await node.status();
      if (id === null) throw new Error(`${node.name} is not registered`);
      return id;
    },
    { withinMs: 10_000 },
  );
}

/** The lines of those that are not complete. */
async function incompleteIn(cluster: ReturnType<ReturnType<typeof useCluster>>): Promise<string> {
  const { stdout } = await cluster.cli('shards', 'list', '-o', 'wide');
  return stdout
    .split('\n')
    .filter((line) => line.includes(' no '))
    .join('\n');
}
