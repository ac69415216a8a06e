// The manager as a whole: how it starts, what keeps it from starting, how it stops.
import { expect } from 'chai';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { runManager } from '../../../manager/main.js';
import { loadConfig } from '../../../shared/config/load.js';
import { messageOf } from '../../../shared/errors/app-error.js';
import { memoryLogger } from '../../../shared/log/logger.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { snapshotWith } from '../../support/snapshots.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temp-dir.js';
import { bearer, tokenFile } from '../../support/tokens.js';

interface Running {
  readonly logger: ReturnType<typeof memoryLogger>;
  /** Of the ready file, once it is there. */
  url(): Promise<string>;
  /** Stops it and resolves to the exit code. */
  stop(): Promise<number>;
  readonly ended: Promise<number>;
}

describe('manager process', () => {
  let directory: TemporaryDirectory;
  let readyFile: string;
  beforeEach(async () => {
    directory = await temporaryDirectory('manager');
    readyFile = join(directory.path, 'ready');
  });
  afterEach(() => directory.remove());

  function run(manager: Record<string, unknown> = {}, etcd: Record<string, unknown> = {}): Running {
    const file = join(directory.path, 'config.toml');
    const settings = {
      'bind-address': '127.0.0.1:0',
      'data-dir': join(directory.path, 'data'),
      'drain-delay': '0s',
      ...manager,
    };
    writeFileSync(file, `[manager]\n${toml(settings)}\n[etcd]\n${toml({ ttl: '2s', ...etcd })}\n`);
    const { config } = loadConfig({
      file,
      flags: [],
      directory: directory.path,
      facts: { env: {}, home: directory.path, isWritable: () => true, openFilesLimit: 4_096 },
    });
    const abort = new AbortController();
    const logger = memoryLogger();
    const ended = runManager({
      config,
      logger,
      registry: new Registry(),
      readyFile,
      signal: abort.signal,
      build: { version: '0.0.0', commit: 'test', node: process.versions.node },
    });
    // A failure is looked at by the test; it must not count as unhandled before.
    ended.catch(() => undefined);
    return {
      logger,
      ended,
      url: () =>
        eventually(
          () => (JSON.parse(readFileSync(readyFile, 'utf8')) as { manager: string }).manager,
        ),
      stop: () => {
        abort.abort();
        return ended;
      },
    };
  }

  const failureOf = (running: Running): Promise<string> =>
    running.ended.then(() => 'it ended well', messageOf);

  it('serves, keeps what was written over a restart, and removes its ready file when it stops', async () => {
    const first = run();
    const url = await first.url();
    expect(JSON.parse(readFileSync(readyFile, 'utf8'))).to.deep.equal({
      manager: url,
      pid: process.pid,
    });
    const body = snapshotWith('a');
    const written = await fetch(`${url}/clusters/c/versions/0`, { method: 'PUT', body });
    expect(written.status).to.equal(200);
    expect(await first.stop()).to.equal(0);
    expect(existsSync(readyFile)).to.equal(false);

    const second = run();
    const read = await fetch(`${await second.url()}/clusters/c/versions/0`);
    expect(Buffer.from(await read.arrayBuffer()).equals(body)).to.equal(true);
    expect(read.headers.get('etag')).to.equal(written.headers.get('etag'));
    expect(await second.stop()).to.equal(0);
  });

  it('lists itself', async () => {
    const running = run();
    const url = await running.url();
    const { cflux } = (await (await fetch(`${url}/nodes`)).json()) as {
      cflux: Record<string, unknown>[];
    };
    expect(cflux).to.have.length(1);
    expect(cflux[0]).to.include({ ip: '127.0.0.1', alive: true, version: '0.0.0' });
    expect(`http://${String(cflux[0]?.['bind-address'])}`).to.equal(url);
    await running.stop();
  });

  it('stops within a second while readers wait, who are answered', async () => {
    const running = run();
    const url = await running.url();
    const waiting = fetch(`${url}/clusters/c/versions/0?wait=60s`);
    await eventually(async () =>
      (await (await fetch(`${url}/status`)).text()).includes('"waiters":1'),
    );
    const start = performance.now();
    expect(await running.stop()).to.equal(0);
    expect((await waiting).status).to.equal(204);
    expect(performance.now() - start).to.be.below(1_000);
  });

  it('says in one sentence that its port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await eventually(() => other.listening);
    const { port } = other.address() as AddressInfo;
    const failure = await failureOf(run({ 'bind-address': `127.0.0.1:${port}` }));
    expect(failure).to.contain(`127.0.0.1:${port} is in use`);
    other.close();
    // The data directory was let go of again.
    const running = run();
    await running.url();
    await running.stop();
  });

  it('refuses a data directory that another manager holds', async () => {
    const running = run();
    await running.url();
    expect(await failureOf(run())).to.contain(join(directory.path, 'data'));
    await running.stop();
  });

  it('refuses to listen widely without security, and with a token file that it can not read', async () => {
    expect(await failureOf(run({ 'bind-address': ':0' }))).to.contain('manager.insecure = true');
    expect(await failureOf(run({ 'token-file': '/nowhere' }))).to.contain('manager.token-file');
  });

  it('listens widely with tokens, and warns that they travel in clear', async () => {
    const file = join(directory.path, 'tokens');
    writeFileSync(file, tokenFile({ viewer: 'look' }));
    const running = run({ 'bind-address': ':0', 'token-file': file });
    const url = await running.url();
    expect((await fetch(`${url}/clusters`)).status).to.equal(401);
    expect((await fetch(`${url}/clusters`, { headers: bearer('look') })).status).to.equal(200);
    const warned = running.logger.lines.filter(({ message }) => message.includes('in clear'));
    expect(warned).to.have.length(1);
    expect(await running.stop()).to.equal(0);
  });

  it('listens on all addresses where that is meant', async () => {
    const running = run({ 'bind-address': ':0', insecure: true });
    expect((await fetch(`${await running.url()}/healthz`)).status).to.equal(200);
    expect(await running.stop()).to.equal(0);
  });

  it('listens without its store, is not ready, says so once, and goes on trying', async () => {
    const port = await freePort();
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    const running = run(
      { 'bind-address': `127.0.0.1:${port}`, store: 'etcd' },
      { endpoints: [nowhere] },
    );
    const url = `http://127.0.0.1:${port}`;
    await eventually(async () => (await fetch(`${url}/healthz`)).status === 200);
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).to.equal(503);
    expect(((await ready.json()) as { detail: string }).detail).to.contain(nowhere);
    const answer = await fetch(`${url}/clusters`);
    expect(answer.status).to.equal(503);
    expect(answer.headers.get('retry-after')).to.not.equal(null);
    expect(existsSync(readyFile)).to.equal(false);
    const said = () =>
      running.logger.lines.filter(({ message }) => message === 'store out of reach, trying on');
    await eventually(() => said().length === 1, { withinMs: 8_000 });
    expect(await running.stop()).to.equal(0);
    expect(said()).to.have.length(1);
  });
});

function toml(settings: Record<string, unknown>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}`)
    .join('\n');
}
