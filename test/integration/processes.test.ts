// The programs as processes: each ends promptly at SIGTERM whatever hangs around it, and two never share a directory.
import { expect } from 'chai';
import { request } from 'node:http';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';
import type { Ended } from '../support/program.js';

/** They aim at a second; the rest is for a busy machine. What hangs around them would hold them for 5 s and more. */
const STOP_WITHIN_MS = 3_000;

describe('SIGTERM', function () {
  this.timeout(40_000);
  const cluster = useCluster({ store: 'etcd', nodes: 2, managers: 2 });

  function expectPrompt(ended: Ended | undefined): void {
    expect(ended).to.include({ code: 0, signal: null });
    expect(ended?.tookMs).to.be.lessThan(STOP_WITHIN_MS);
  }

  it('ends an agent that waits for news', async () => {
    const [node] = cluster().nodes;
    expectPrompt(await node!.agent.stop());
    expect(existsSync(join(node!.stateDir, 'agent.sock'))).to.equal(false);
    await node!.startAgent();
  });

  it('ends an agent whose influxd hangs', async () => {
    const [node] = cluster().nodes;
    node!.influxd.pause();
    try {
      await eventually(
        async () => {
          expect((await node!.status()).influxd.answers).to.equal(false);
        },
        { withinMs: 15_000 },
      );
      expectPrompt(await node!.agent.stop());
    } finally {
      node!.influxd.resume();
    }
    await node!.startAgent();
  });

  it('ends a manager at which agents wait, and tells them', async () => {
    const [manager] = cluster().managers;
    const answer = longPoll(`${manager!.url}/clusters/nobody%20yet/versions/0`);
    await answer.sent;
    expectPrompt(await manager!.stop());
    // Answered as if the wait were over, or cut: the agent goes on with another manager.
    expect(await answer.status).to.be.oneOf([204, 503, undefined]);
    await manager!.start();
  });

  it('ends a manager whose etcd hangs, and an agent whose managers hang', async () => {
    const [first, second] = cluster().managers;
    const [node] = cluster().nodes;
    await cluster().etcd.pause();
    try {
      expectPrompt(await first!.stop());
      second!.pause();
      expectPrompt(await node!.agent.stop());
      second!.resume();
    } finally {
      cluster().etcd.resume();
    }
    await first!.start();
    await node!.startAgent();
    await cluster().converged({ withinMs: 15_000 });
  });
});

describe('a second process', function () {
  this.timeout(40_000);
  const cluster = useCluster({ nodes: 1 });

  it('on the state directory of an agent is refused in words, and the first goes on', async () => {
    const [node] = cluster().nodes;
    const { code, stderr } = await node!.cli('agent', '--bind-address', '127.0.0.1:0');
    expect(code).to.equal(1);
    expect(stderr)
      .to.include(node!.stateDir)
      .and.not.match(/^ +at /m);
    await node!.influxd.query('CREATE DATABASE "still in step"');
    await cluster().converged();
  });

  it('on the data directory of a manager is refused in words, and the first goes on', async () => {
    const [manager] = cluster().managers;
    const { code, stderr } = await cluster().cli(
      ...['manager', '--config', manager!.configFile, '--bind-address', '127.0.0.1:0'],
    );
    expect(code).to.equal(1);
    expect(stderr)
      .to.include(join(cluster().dir, 'data'))
      .and.not.match(/^ +at /m);
    await cluster().converged();
  });
});

/** `sent` resolves when the request is on its way, `status` to the answer's status, undefined where the connection was cut. */
function longPoll(url: string): { sent: Promise<void>; status: Promise<number | undefined> } {
  const outgoing = request(url, { agent: false });
  const status = new Promise<number | undefined>((resolve) => {
    outgoing.once('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    outgoing.once('error', () => resolve(undefined));
  });
  const sent = new Promise<void>((resolve) => outgoing.once('finish', resolve));
  outgoing.end();
  return { sent, status };
}
