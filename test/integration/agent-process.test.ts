// The agent as a whole beside a real influxd: it comes up, gets ready, keeps going without its manager, and stops at once.
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { askForSync } from '../../agent/status/control-client.js';
import { LIVE_MODE } from '../../agent/sync/port.js';
import { isAppError } from '../../shared/errors/app-error.js';
import type { TestAgent } from '../support/agent.js';
import { startTestAgent } from '../support/agent.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import type { TestInfluxd } from '../support/influxd.js';
import { startInfluxd } from '../support/influxd.js';
import type { TestManager } from '../support/manager.js';
import { startTestManager } from '../support/manager.js';

/** From SIGTERM to gone. */
const STOP_WITHIN_MS = 1_000;

describe('an agent beside a real influxd', () => {
  let manager: TestManager;
  let influxds: TestInfluxd[];
  const agents: TestAgent[] = [];

  before(async () => {
    influxds = await Promise.all([startInfluxd(), startInfluxd()]);
  });
  after(async () => {
    await Promise.all(influxds.map((influxd) => influxd.remove()));
  });
  beforeEach(async () => {
    manager = await startTestManager({ listen: true, ttlMs: 2_000 });
  });
  afterEach(async () => {
    await Promise.all(agents.splice(0).map((agent) => agent.stop()));
    await manager.close();
  });

  async function start(
    more: Partial<Parameters<typeof startTestAgent>[0]> = {},
    influxd = influxds[0]!,
  ): Promise<TestAgent> {
    const agent = await startTestAgent({ influxd, endpoints: [manager.url], ...more });
    agents.push(agent);
    return agent;
  }

  const isReady = (agent: TestAgent) =>
    eventually(async () => (await agent.get('/readyz')).status === 200, { what: 'readiness' });

  it('gets ready, is listed as alive, and takes its file away when it stops', async () => {
    const agent = await start();
    await isReady(agent);
    const ready = JSON.parse(await eventually(() => readFile(agent.readyFile, 'utf8'))) as {
      gateway: string;
    };
    expect(ready).to.deep.include({ status: agent.url, pid: process.pid });
    expect((await fetch(`${ready.gateway}/ping`)).status).to.equal(204);
    const nodes = await (await fetch(`${manager.url}/nodes/test`)).json();
    expect(nodes).to.have.nested.property('[0].alive', true);
    expect((await agent.get('/status')).body).to.include({ cluster: 'test', node: 1 });
    const began = performance.now();
    expect(await agent.stop()).to.equal(0);
    expect(performance.now() - began).to.be.lessThan(STOP_WITHIN_MS);
    expect(await readFile(agent.readyFile).catch(() => 'gone')).to.equal('gone');
  });

  it('brings a database from one server to the other', async () => {
    const [a, b] = [await start(), await start({}, influxds[1])];
    await Promise.all([isReady(a), isReady(b)]);
    await influxds[0]!.query('CREATE DATABASE "from a"');
    await eventually(async () => (await influxds[1]!.names('SHOW DATABASES')).includes('from a'));
    await influxds[1]!.query('DROP DATABASE "from a"');
    await eventually(async () => !(await influxds[0]!.names('SHOW DATABASES')).includes('from a'));
  });

  it('keeps its id over a restart', async () => {
    const first = await start();
    await isReady(first);
    const { node } = (await first.get('/status')).body;
    await first.stop();
    const second = await start({ stateDir: first.stateDir });
    await isReady(second);
    expect((await second.get('/status')).body['node']).to.equal(node);
  });

  it('gets ready without a manager after its timeout, says why, stops at once, and catches up later', async () => {
    const port = await freePort();
    const env = { CLUSTERFLUX_AGENT_READY_TIMEOUT: '200ms' };
    const agent = await start({ endpoints: [`http://127.0.0.1:${port}`, manager.url], env });
    await isReady(agent);
    const alone = await start({ endpoints: [`http://127.0.0.1:${port}`], env }, influxds[1]);
    await isReady(alone);
    expect((await alone.get('/status')).body['sentence']).to.include('not registered');
    const began = performance.now();
    await alone.stop();
    expect(performance.now() - began).to.be.lessThan(STOP_WITHIN_MS);
  });

  it('says that influxd is silent, and stops at once beside a silent one', async () => {
    const agent = await start();
    await isReady(agent);
    influxds[0]!.pause();
    try {
      await eventually(async () => (await agent.get('/readyz')).status === 503, {
        withinMs: 10_000,
      });
      const began = performance.now();
      await agent.stop();
      expect(performance.now() - began).to.be.lessThan(STOP_WITHIN_MS);
    } finally {
      influxds[0]!.resume();
    }
  });

  it('refuses a second agent on its state directory, and leaves the first alone', async () => {
    const agent = await start();
    const error: unknown = await start({ stateDir: agent.stateDir }).catch((one: unknown) => one);
    expect(isAppError(error, 'already-running')).to.equal(true);
    await isReady(agent);
  });

  it('reconciles when a local command asks it to', async () => {
    const agent = await start();
    await isReady(agent);
    const { signal } = new AbortController();
    const options = { stateDir: agent.stateDir, deadlineMs: 5_000, signal };
    const asked = await askForSync(LIVE_MODE, options);
    expect(asked).to.have.nested.property('value.inStep', true);
    const offline = await askForSync({ ...LIVE_MODE, offline: true }, options);
    expect(offline).to.have.nested.property('value.outcome', 'blocked');
    manager.drain();
    await manager.close();
    const away = await askForSync(LIVE_MODE, { ...options, deadlineMs: 15_000 });
    expect(away).to.have.nested.property('value.outcome', 'waiting');
    manager = await startTestManager({ listen: true });
  });
});
