// Agents beside servers that ask who they are: with the right account all works; with a wrong one the status says so, once, and
// a corrected file heals it; and no output of any program shows a password, a secret or a hash.
import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temp-dir.js';

const PASSWORD = 'r1ght-pa55word';
const WRONG = 'wr0ng-pa55word';
const SHARED = 'sh4red-secret-of-influxd';
const USERS_PASSWORD = 'us3rs-pa55word';
const ADMIN = { u: 'root', p: PASSWORD };

describe('servers with authentication', function () {
  this.timeout(90_000);
  let directory: TemporaryDirectory;
  const file = (name: string) => join(directory.path, name);
  const cluster = useCluster({
    nodes: 0,
    influxd: { authEnabled: true, config: { http: { 'shared-secret': SHARED } } },
  });

  /** A server with an administrator; its agent has this account. */
  async function nodeWith(account: Record<string, string>): Promise<ClusterNode> {
    const node = await cluster().addNode({ config: { influxdb: account }, withAgent: false });
    await node.influxd.query(`CREATE USER "root" WITH PASSWORD '${PASSWORD}' WITH ALL PRIVILEGES`);
    return node;
  }
  const query = (node: ClusterNode, q: string) => node.influxd.query(q, { params: ADMIN });
  const databases = (node: ClusterNode) => node.influxd.names('SHOW DATABASES', { params: ADMIN });
  const has = (node: ClusterNode, name: string) =>
    eventually(async () => (await databases(node)).includes(name), { withinMs: 10_000 });
  const says = (node: ClusterNode, words: RegExp) =>
    eventually(async () => words.test((await node.status()).sentence), { withinMs: 10_000 });

  let right: ClusterNode;
  before(async () => {
    directory = await temporaryDirectory('accounts');
    await writeFile(file('right'), `${PASSWORD}\n`);
    await writeFile(file('corrected'), `${WRONG}\n`);
    await writeFile(file('shared'), `${SHARED}\n`);
    right = await nodeWith({ username: 'root', 'password-file': file('right') });
    await right.startAgent();
    await query(right, 'CREATE DATABASE "first"');
  });
  after(() => directory.remove());

  it('take what the cluster has, by a password and by a token', async () => {
    const token = await nodeWith({ username: 'root', 'jwt-secret-file': file('shared') });
    await token.startAgent();
    await has(token, 'first');
    await query(token, 'CREATE DATABASE "by token"');
    await has(right, 'by token');
  });

  it('refuse a wrong password: the status says so, the log once, and the right one heals it', async () => {
    const node = await nodeWith({ username: 'root', 'password-file': file('corrected') });
    await node.launchAgent();
    await says(node, /refuses the agent's account "root"; set .*influxdb\.password-file/);
    // Some ticks later it still has said it once.
    await eventually(async () => (await attempts(node)) > 2, { withinMs: 15_000, everyMs: 100 });
    const lines = (await node.agent.log()).split('\n');
    expect(lines.filter((line) => line.includes('sync needs attention'))).to.have.length(1);
    await writeFile(file('corrected'), `${PASSWORD}\n`);
    await has(node, 'first');
  });

  it('refuse a missing account, and one that is no administrator until it is', async () => {
    const [missing, weak] = await Promise.all([
      nodeWith({}),
      nodeWith({ username: 'weak', 'password-file': file('right') }),
    ]);
    await query(weak, `CREATE USER "weak" WITH PASSWORD '${PASSWORD}'`);
    await Promise.all([missing.launchAgent(), weak.launchAgent()]);
    await says(missing, /asks who it is, and no account is configured; set influxdb\.username/);
    await says(weak, /does not let the agent's account "weak" .*GRANT ALL PRIVILEGES TO/);
    expect(await databases(missing)).to.deep.equal([]);
    await query(weak, 'GRANT ALL PRIVILEGES TO "weak"');
    await has(weak, 'first');
  });

  it('and nothing that any program says has a password, a secret or a hash in it', async () => {
    await query(right, `CREATE USER "reader" WITH PASSWORD '${USERS_PASSWORD}'`);
    await eventually(async () => (await decoded(versions('0'))).includes('reader'));
    const hashes = (
      await Promise.all(cluster().nodes.map(async (node) => [...(await node.schema()).values()]))
    )
      .flat()
      .flatMap(({ value }) => ('hash' in value ? [value.hash] : []));
    expect(hashes).to.have.length.above(2);
    const secrets = [PASSWORD, WRONG, SHARED, USERS_PASSWORD, ...hashes];
    for (const [name, text] of Object.entries(await everything())) {
      const found = secrets.filter((secret) => text.includes(secret));
      expect(found, name).to.deep.equal([]);
      expect(text, name).not.to.match(/\$2[aby]\$\d\d\$/);
    }
  });

  const versions = (version: string) => `/clusters/${cluster().name}/versions/${version}?wait=0s`;

  /** What the manager's API says to whoever asks for JSON. */
  async function decoded(path: string): Promise<string> {
    const headers = { accept: 'application/json' };
    return (await fetch(cluster().managers[0]!.url + path, { headers })).text();
  }

  /** Ticks that ended at the refused account, as the metrics count them. */
  async function attempts(node: ClusterNode): Promise<number> {
    const text = await (await fetch(`${node.statusUrl}/metrics`)).text();
    return Number(/ticks_total\{outcome="failed"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
  }

  /** Logs, status, metrics, and what the API and the commands say to whoever reads JSON. */
  async function everything(): Promise<Record<string, string>> {
    const manager = cluster().managers[0]!;
    const texts: Record<string, string> = { [manager.name]: await manager.log() };
    for (const node of cluster().nodes) {
      texts[node.agent.name] = await node.agent.log();
      for (const path of ['/status', '/metrics', '/readyz']) {
        texts[`${node.name} ${path}`] = await (await fetch(node.statusUrl + path)).text();
      }
      texts[`${node.name} config`] = (await node.cli('config', 'print')).stdout;
    }
    const name = cluster().name;
    for (const path of ['/nodes', `/clusters/${name}/history`, versions('0'), '/metrics']) {
      texts[path] = await decoded(path);
      expect(texts[path].length, path).to.be.above(10);
    }
    for (const args of [['status'], ['nodes', 'list'], ['versions', 'list'], ['meta', 'show']]) {
      const { stdout, stderr } = await cluster().cli(...args);
      texts[args.join(' ')] = stdout + stderr;
    }
    return texts;
  }
});
