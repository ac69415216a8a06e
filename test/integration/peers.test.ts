// Agents as processes that share a secret: they believe each other and nobody else, the secret is replaced while they ask
// each other all the time, and a command with the secret sees what any node's influxd has.
import { expect } from 'chai';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PeerClient } from '../../agent/peer/peer-client.js';
import { HELLO_PATH, helloSchema, METADATA_PATH } from '../../agent/peer/peer-routes.js';
import { openPeerSecurity, type PeerSecurity } from '../../agent/peer/peer-security.js';
import { parseAddress } from '../../shared/config/address.js';
import { systemClock } from '../../shared/lifecycle/clock.js';
import { silentLogger } from '../../shared/log/logger.js';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temp-dir.js';

const SECRETS = ['the first secret of the cluster', 'the second secret of the cluster'];
const [OLD, NEW] = SECRETS as [string, string];
const PASSWORD = 'pa55w0rd-of-a-user';

interface ListedNode {
  readonly id: number;
  readonly uid: string;
  readonly 'bind-address': string;
}

describe('agents with a secret', function () {
  this.timeout(60_000);
  let directory: TemporaryDirectory;
  before(async () => {
    directory = await temporaryDirectory('secrets');
  });
  after(() => directory.remove());
  const secretFile = (name: string) => join(directory.path, name);
  const cluster = useCluster({ nodes: 0 });
  let clients: PeerClient[];
  const stopping = new AbortController();

  before(async () => {
    clients = [];
    for (const name of ['one', 'two', 'client']) await writeFile(secretFile(name), `${OLD}\n`);
    for (const name of ['one', 'two']) {
      await cluster().addNode({ config: { agent: { 'secret-file': secretFile(name) } } });
    }
    await cluster().nodes[0]!.influxd.query('CREATE DATABASE "shared"');
    await cluster().converged();
  });
  after(() => {
    stopping.abort();
    for (const client of clients) client.close();
  });

  async function clientWith(name: string): Promise<{ client: PeerClient; security: PeerSecurity }> {
    const clock = systemClock();
    const files = { certFile: undefined, keyFile: undefined, caFile: undefined };
    const security = await openPeerSecurity(
      { secretFile: secretFile(name), ...files },
      { clock, logger: silentLogger() },
    );
    void security.run(stopping.signal);
    const client = new PeerClient({ uid: 'tester', security, clock });
    clients.push(client);
    return { client, security };
  }
  const listed = async (): Promise<ListedNode[]> => {
    const { stdout } = await cluster().cli('nodes', 'list', '-o', 'json');
    return (JSON.parse(stdout) as { influx: ListedNode[] }).influx;
  };
  const address = (node: ListedNode) => parseAddress(node['bind-address'])!;
  const ask = (client: PeerClient, node: ListedNode, path = HELLO_PATH) =>
    client.call(address(node), node.uid, { method: 'GET', path });

  it('say who they are to who has it', async () => {
    const { client } = await clientWith('client');
    for (const node of await listed()) {
      const { status, body } = await ask(client, node);
      const hello = helloSchema.parse(JSON.parse(body.toString()));
      expect([status, hello.uid, hello.id]).to.deep.equal([200, node.uid, node.id]);
      expect(hello).to.deep.include({ cluster: cluster().name, influxd: { answers: true } });
      expect(hello.versions).to.have.keys('agent', 'influxd');
    }
  });

  it('give strangers no metadata', async () => {
    for (const { statusUrl } of cluster().nodes) {
      for (const path of [HELLO_PATH, METADATA_PATH]) {
        expect((await fetch(statusUrl + path)).status).to.equal(401);
      }
    }
  });

  describe('and versions diff with the live metadata of a node', () => {
    const diff = (node: ClusterNode, ...args: string[]) => node.cli('versions', 'diff', ...args);

    it('asks the agent of any node, and says what it found, but no hash', async () => {
      const [one, two] = cluster().nodes as [ClusterNode, ClusterNode];
      await two.influxd.query(`CREATE USER "u" WITH PASSWORD '${PASSWORD}'`);
      await cluster().converged({ except: ['user'] });
      const id = (await two.status()).node!;
      const result = await diff(one, '1', `live:${id}`);
      expect(result.code, result.stderr).to.equal(0);
      expect(result.stdout).to.match(/\+ user u: created/);
      expect(result.stdout).not.to.match(/\$2a\$|pa55/);
    });

    it('says what is missing where the secret is not known here, is another, or the agent is away', async () => {
      const [, two] = cluster().nodes as [ClusterNode, ClusterNode];
      const id = (await two.status()).node!;
      const asStranger = await cluster().cli('versions', 'diff', '1', `live:${id}`);
      expect(asStranger.code).not.to.equal(0);
      expect(asStranger.stderr).to.match(/agent\.secret-file is not set here/);
      await writeFile(secretFile('wrong'), 'the secret of another cluster');
      const environment = { CLUSTERFLUX_AGENT_SECRET_FILE: secretFile('wrong') };
      const args = ['--manager', cluster().managers[0]!.url, 'versions', 'diff', '1', `live:${id}`];
      const withWrong = await cluster().run(args, {
        ...environment,
        CLUSTERFLUX_AGENT_CLUSTER: cluster().name,
      });
      expect(withWrong.stderr).to.match(/do not share a secret.*agent\.secret-file/);
      await two.agent.stop();
      const [one] = cluster().nodes as [ClusterNode];
      expect((await diff(one, '1', `live:${id}`)).stderr).to.match(/look whether that agent runs/);
      await two.startAgent();
    });
  });

  it('take a new secret in three steps, and not one call fails meanwhile', async () => {
    const nodes = await listed();
    const { client, security } = await clientWith('client');
    let calls = 0;
    const failures: unknown[] = [];
    const done = new AbortController();
    const asking = (async () => {
      while (!done.signal.aborted) {
        for (const node of nodes) {
          const answer = await ask(client, node).catch((error: unknown) => error);
          if ((answer as { status?: unknown }).status !== 200) failures.push(answer);
          calls += 1;
        }
        // A turn of the event loop for everything else.
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (const lines of [[OLD, NEW], [NEW, OLD], [NEW]]) {
      const [before, keys] = [await readings(), security.keys?.current];
      for (const name of ['one', 'two', 'client']) {
        await writeFile(secretFile(name), `${lines.join('\n')}\n`);
      }
      // One step ends before the next begins: everybody has read the file.
      await eventually(async () => (await readings()) === before + 2);
      await eventually(() => security.keys?.current !== keys);
    }
    done.abort();
    await asking;
    expect(failures).to.deep.equal([]);
    expect(calls).to.be.above(100);
    await writeFile(secretFile('late'), `${OLD}\n`);
    const late = await clientWith('late');
    const refusal = await ask(late.client, nodes[0]!).catch((error: unknown) => error);
    expect(refusal).to.have.property('code', 'unauthorized');
  });

  /** How often the agents have read their files again. */
  async function readings(): Promise<number> {
    const logs = await Promise.all(cluster().nodes.map(({ agent }) => agent.log()));
    return logs.join('').split('files that changed were read again').length;
  }

  it('say the secret nowhere', async () => {
    for (const { agent, stateDir } of cluster().nodes) {
      expect(await agent.log()).not.to.match(/secret of the cluster/);
      expect(await readFile(join(stateDir, 'identity.json'), 'utf8').catch(() => '')).not.to.match(
        /secret of the cluster/,
      );
    }
  });
});
