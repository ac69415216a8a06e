import { expect } from 'chai';
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { RunWatch } from '../../../../agent/influxd/run-watch.js';
import { freePort } from '../../../support/free-port.js';
import { eventually } from '../../../support/eventually.js';

describe('the watch over a run of influxd', () => {
  let port: number;
  let server: Server | undefined;
  let watch: RunWatch;
  const sockets = new Set<Socket>();

  async function listen(): Promise<void> {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
  }

  async function end(): Promise<void> {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    const closing = server;
    server = undefined;
    if (closing !== undefined) await new Promise((resolve) => closing.close(resolve));
  }

  beforeEach(async () => {
    port = await freePort();
    watch = new RunWatch(`http://127.0.0.1:${port}/influx`);
  });
  afterEach(async () => {
    watch.close();
    await end();
  });

  it('gives one signal for one run, over one connection', async () => {
    await listen();
    const run = await watch.watch();
    expect(await watch.watch()).to.equal(run);
    expect(run.aborted).to.equal(false);
    expect(sockets.size).to.equal(1);
  });

  it('tells of its end, and watches the next one', async () => {
    await listen();
    const run = await watch.watch();
    await end();
    await eventually(() => run.aborted);
    await listen();
    const next = await watch.watch();
    expect(next).to.not.equal(run);
    expect(next.aborted).to.equal(false);
  });

  it('refuses where nothing listens, and tries again when it is asked again', async () => {
    const error = (await watch.watch().catch((caught: unknown) => caught)) as { code?: string };
    expect(error.code).to.equal('influxd-unreachable');
    await listen();
    expect((await watch.watch()).aborted).to.equal(false);
  });

  it('is stopped by a signal', async () => {
    const error = await watch.watch(AbortSignal.abort()).catch((caught: unknown) => caught);
    expect((error as { code?: string }).code).to.equal('aborted');
  });
});
