// A cluster whose manager asks for tokens: it works, strangers see nothing, a wrong token is said once, and tokens are
// replaced without a call that fails.
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keyOf } from '../../shared/meta/model.js';
import { digestOf } from '../../shared/security/tokens.js';
import { writeFileAtomically } from '../../shared/lifecycle/atomic-file.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import type { ClusterNode } from '../support/cluster-node.js';
import { eventually } from '../support/eventually.js';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temp-dir.js';
import { bearer, tokenLine } from '../support/tokens.js';

const OLD = 'old-agent-token';
const NEW = 'new-agent-token';
const ADMIN = 'operator-token';
const VIEWER = 'viewer-token';

/** Twice what an agent lets pass between two looks at its token file. */
const LOOKED_WITHIN_MS = 2_000;

describe('a manager with tokens', function () {
  this.timeout(60_000);
  let directory: TemporaryDirectory;
  let cluster: TestCluster;
  let tokenFile: string;
  let agentToken: string;

  before(async function () {
    this.timeout(120_000);
    directory = await temporaryDirectory('security');
    tokenFile = join(directory.path, 'tokens');
    agentToken = join(directory.path, 'agent-token');
    await writeFile(tokenFile, fileOf(OLD));
    await writeFile(agentToken, `${OLD}\n`);
    cluster = await startCluster({
      nodes: 2,
      config: { manager: { 'token-file': tokenFile }, agent: { 'token-file': agentToken } },
    });
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.log(await cluster.logTails());
  });
  after(async () => {
    await cluster.stop();
    await directory.remove();
  });

  /** Two people and these tokens of agents. */
  function fileOf(...agents: string[]): string {
    const lines = agents.map((token) => tokenLine(`agent:test`, token));
    return [...lines, tokenLine('operator', ADMIN), tokenLine('viewer', VIEWER), ''].join('\n');
  }

  const url = () => cluster.managers[0]!.url;
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${url()}${path}`, { headers, signal: AbortSignal.timeout(5_000) });
  const has = async (node: ClusterNode, database: string) =>
    (await node.schema()).has(keyOf({ kind: 'database', path: [database] }));
  const arrives = (database: string) =>
    eventually(() => has(cluster.nodes[1]!, database), { withinMs: 10_000, what: database });

  async function requestsOf(token: string): Promise<number> {
    const text = await (await get('/metrics', bearer(VIEWER))).text();
    const name = `agent ${digestOf(token).toString('hex').slice(0, 8)}`;
    return Number(
      new RegExp(`token_requests_total\\{token="${name}"\\} (\\d+)`).exec(text)?.[1] ?? 0,
    );
  }

  it('keeps its nodes in step', async () => {
    await cluster.nodes[0]!.influxd.query('CREATE DATABASE "secret plans"');
    await arrives('secret plans');
  });

  it('shows strangers nothing, with no token and with a wrong one', async () => {
    const paths = [
      '/nodes',
      '/nodes/test',
      '/nodes/test/1',
      '/clusters',
      '/clusters/test',
      '/clusters/test/versions/0',
      '/clusters/test/history',
      '/clusters/test/history/1',
      '/clusters/test/diff?from=1',
      '/clusters/test/marks/1',
      '/events?cluster=test',
      '/status',
      '/metrics',
      '/openapi.json',
      '/anything',
    ];
    for (const path of paths) {
      for (const headers of [undefined, bearer('wrong')]) {
        const answer = await get(path, headers);
        expect(answer.status, path).to.be.oneOf([401, 429]);
        expect(await answer.text(), path).to.not.match(/secret plans|influxd|hostname/);
      }
    }
    expect((await get('/healthz')).status).to.equal(200);
    expect((await get('/readyz')).status).to.equal(200);
  });

  it('gives commands what the role of their token may have', async () => {
    const file = async (name: string, token: string) => {
      const path = join(directory.path, name);
      await writeFile(path, token);
      return path;
    };
    const [viewer, admin] = [await file('viewer', VIEWER), await file('admin', ADMIN)];
    const run = async (path: string, ...args: string[]) => {
      const { code, stdout, stderr } = await cluster.cli('--token-file', path, ...args);
      return { code, text: stdout + stderr };
    };
    expect(await run(viewer, 'status')).to.have.property('code', 0);
    expect((await run(viewer, 'meta', 'show')).text).to.include('secret plans');
    const refused = await run(viewer, 'nodes', 'forget', '1', '--yes');
    expect(refused.code).to.equal(7);
    expect(refused.text).to.include('needs a token of the role agent or operator');
    expect((await cluster.cli('status')).code).to.equal(7);
    const exported = join(directory.path, 'export.db');
    expect((await run(viewer, 'meta', 'export', exported)).code).to.equal(7);
    expect((await run(admin, 'meta', 'export', exported)).code).to.equal(0);
  });

  it('is told by an agent with a wrong token in one sentence and one line of its log, and mended without a restart', async () => {
    const wrong = join(directory.path, 'wrong-token');
    await writeFile(wrong, 'no-such-token\n');
    const config = { agent: { 'token-file': wrong, 'ready-timeout': '1s' } };
    const node = await cluster.addNode({ config, withAgent: false });
    await node.launchAgent();
    const sentence = () => node.status().then(({ sentence: text }) => text);
    await eventually(async () => (await sentence()).includes('agent.token-file'), {
      withinMs: 10_000,
    });
    const manager = cluster.managers[0]!;
    const refusals = async () => {
      const text = await (await get('/metrics', bearer(VIEWER))).text();
      return Number(/refusals_total\{reason="unauthorized"\} (\d+)/.exec(text)?.[1] ?? 0);
    };
    const before = await refusals();
    expect(before).to.be.at.least(1);
    // Some heartbeats later.
    const began = await requestsOf(OLD);
    await eventually(async () => (await requestsOf(OLD)) > began + 10, { withinMs: 20_000 });
    // The token is shown again every 15 s.
    expect((await refusals()) - before).to.be.at.most(2);
    const said = (await node.agent.log()).split('\n').filter((line) => /WARN|ERROR/.test(line));
    expect(said.length, said.join('\n')).to.be.at.most(3);
    await writeFile(wrong, `${OLD}\n`);
    await eventually(async () => (await node.status())['in-step'], { withinMs: 10_000 });
    for (const log of [await node.agent.log(), await manager.log()]) {
      expect(log).to.not.include('no-such-token').and.not.include(OLD);
    }
    await node.agent.stop();
  });

  it('has its tokens replaced in three steps, and no call fails', async () => {
    let token = OLD;
    const statuses = new Map<number, number>();
    let isOver = false;
    const calls = (async () => {
      while (!isOver) {
        const { status } = await get('/clusters/test', bearer(token));
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    })();
    const logs = () => Promise.all(cluster.nodes.slice(0, 2).map(({ agent }) => agent.log()));
    const before = await logs();

    // 1. The manager knows both.
    await writeFileAtomically(tokenFile, fileOf(OLD, NEW));
    const added = 'files that changed were read again';
    await eventually(async () => (await cluster.managers[0]!.log()).includes(added));
    // 2. Everybody uses the new one; the old one's counter stands still.
    token = NEW;
    await writeFileAtomically(agentToken, `${NEW}\n`);
    const written = performance.now();
    await eventually(
      async () => {
        const [old, fresh] = [await requestsOf(OLD), await requestsOf(NEW)];
        await eventually(async () => (await requestsOf(NEW)) > fresh + 200, { withinMs: 10_000 });
        const isStill = (await requestsOf(OLD)) === old;
        // Agents look at their token file once a second; one that has not asked anybody since shows nothing.
        return isStill && performance.now() - written > LOOKED_WITHIN_MS;
      },
      { withinMs: 30_000 },
    );
    // 3. The old one is gone.
    await writeFileAtomically(tokenFile, fileOf(NEW));
    await eventually(async () => (await get('/clusters/test', bearer(OLD))).status === 401);

    await cluster.nodes[0]!.influxd.query('CREATE DATABASE "after rotation"');
    await arrives('after rotation');
    isOver = true;
    await calls;
    expect([...statuses.keys()]).to.deep.equal([200]);
    for (const [index, log] of (await logs()).entries()) {
      expect(log.slice(before[index]!.length)).to.not.match(/WARN|ERROR/);
    }
  });

  it('keeps its tokens when the file becomes bad, and says which line', async () => {
    const good = await readFile(tokenFile, 'utf8');
    await writeFileAtomically(tokenFile, `${good}operator not-a-digest\n`);
    const manager = cluster.managers[0]!;
    await eventually(async () => /not good.*line 4/.test(await manager.log()));
    expect((await get('/clusters', bearer(VIEWER))).status).to.equal(200);
    await writeFileAtomically(tokenFile, good);
  });

  it('does not start with a bad file, in one sentence and before it has touched anything', async () => {
    const bad = join(directory.path, 'bad-tokens');
    await writeFile(bad, 'admin my-token\n');
    const result = await cluster.run(['manager', '--data-dir', join(directory.path, 'never')], {
      CLUSTERFLUX_MANAGER_TOKEN_FILE: bad,
      CLUSTERFLUX_MANAGER_BIND_ADDRESS: '127.0.0.1:0',
    });
    expect(result.code).to.equal(2);
    expect(result.stderr).to.match(
      /\nclusterflux: manager\.token-file .*bad-tokens, line 1: expected [^\n]*\n$/,
    );
    expect(result.stderr).to.not.include('my-token');
    expect(existsSync(join(directory.path, 'never'))).to.equal(false);
  });
});
