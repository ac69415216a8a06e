// A cluster over mutual TLS: it works, whoever has no certificate is not let in, and all certificates are replaced by those
// of another authority without a call that fails. What can't work is told at the start.
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { TLSSocket } from 'node:tls';
import { join } from 'node:path';
import { keyOf } from '../../shared/meta/model.js';
import { makeAuthority, type Authority, type Issued } from '../support/certificates.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temp-dir.js';

describe('a manager with mutual TLS', function () {
  this.timeout(60_000);
  let directory: TemporaryDirectory;
  let cluster: TestCluster;
  let first: Authority;
  let second: Authority;
  const at = (file: string) => join(directory.path, file);

  before(async function () {
    this.timeout(120_000);
    directory = await temporaryDirectory('tls');
    first = await makeAuthority(directory.path, 'first');
    second = await makeAuthority(directory.path, 'second');
    await use(first, 'manager');
    await use(first, 'agent');
    await trust(first);
    cluster = await startCluster({
      nodes: 2,
      endpoints: (_node, managers) => managers.map((url) => url.replace('http:', 'https:')),
      config: {
        manager: {
          'cert-file': at('manager.pem'),
          'key-file': at('manager.key'),
          'client-ca-file': at('trusted.pem'),
        },
        agent: {
          'cert-file': at('agent.pem'),
          'key-file': at('agent.key'),
          'ca-file': at('trusted.pem'),
        },
      },
    });
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.log(await cluster.logTails());
  });
  after(async () => {
    await cluster.stop();
    await directory.remove();
  });

  /** A new certificate of this authority for one side. */
  async function use(authority: Authority, side: 'manager' | 'agent'): Promise<Issued> {
    const issued = await authority.issue(`${side}-${Date.now()}`);
    await copyFile(issued.certFile, at(`${side}.pem`));
    await copyFile(issued.keyFile, at(`${side}.key`));
    return issued;
  }

  /** What both sides trust. */
  const trust = (...authorities: Authority[]) =>
    writeFile(at('trusted.pem'), authorities.map(({ ca }) => ca).join(''));

  /** One call on a connection of its own: its status, or why there is none, and who signed the manager's certificate. */
  async function call(
    client: Issued | undefined,
  ): Promise<{ status: number | string; issuer?: string | string[] | undefined }> {
    const { port } = new URL(cluster.managers[0]!.url);
    const [cert, key] = client
      ? await Promise.all([readFile(client.certFile), readFile(client.keyFile)])
      : [undefined, undefined];
    const options = { cert, key, ca: [first.ca, second.ca], agent: false, timeout: 5_000 };
    return new Promise((resolve) => {
      const asked = request(`https://127.0.0.1:${port}/clusters/test`, options, (answer) => {
        answer.resume();
        const { socket } = answer;
        const issuer =
          socket instanceof TLSSocket ? socket.getPeerCertificate().issuer.CN : undefined;
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, issuer }));
      });
      asked.on('error', (error: NodeJS.ErrnoException) =>
        resolve({ status: error.code ?? error.message }),
      );
      asked.end();
    });
  }

  const syncs = async (database: string) => {
    await cluster.nodes[0]!.influxd.query(`CREATE DATABASE "${database}"`);
    const key = keyOf({ kind: 'database', path: [database] });
    await eventually(async () => (await cluster.nodes[1]!.schema()).has(key), { withinMs: 10_000 });
  };

  it('keeps its nodes in step, and lets nobody in without a certificate of its authority', async () => {
    await syncs('over tls');
    expect((await call(await first.issue('client'))).status).to.equal(200);
    expect((await call(undefined)).status).to.not.be.a('number');
    expect((await call(await second.issue('stranger'))).status).to.not.be.a('number');
  });

  it('has all certificates replaced by those of another authority, and no call fails', async () => {
    let client = await first.issue('caller');
    const statuses = new Set<number | string>();
    let isOver = false;
    const calls = (async () => {
      while (!isOver) statuses.add((await call(client)).status);
    })();
    const logs = () => Promise.all(cluster.nodes.map(({ agent }) => agent.log()));
    const before = await logs();
    const manager = cluster.managers[0]!;
    const timesRead = async () =>
      (await manager.log()).split('files that changed were read again').length - 1;
    const isRead = async (change: () => Promise<unknown>) => {
      const times = await timesRead();
      await change();
      await eventually(async () => (await timesRead()) > times, { withinMs: 8_000 });
    };
    // Agents show each other certificates too, all the time: each step has to have reached all of them.
    const timesReadByAgents = async () =>
      (await logs()).map((log) => log.split('files that changed were read again').length - 1);
    const isReadByAgents = async (change: () => Promise<unknown>) => {
      const times = await timesReadByAgents();
      await change();
      await eventually(
        async () => (await timesReadByAgents()).every((count, index) => count > times[index]!),
        { withinMs: 8_000 },
      );
    };

    // 1. Both sides trust both authorities.
    await isReadByAgents(() => isRead(() => trust(first, second)));
    await eventually(
      async () => (await call(await second.issue(`probe-${Date.now()}`))).status === 200,
    );
    await syncs('step one');
    // 2. Everybody shows a certificate of the new one.
    client = await second.issue('new-caller');
    await isReadByAgents(() => use(second, 'agent'));
    await isRead(() => use(second, 'manager'));
    await eventually(async () => (await call(client)).issuer === 'second');
    await syncs('step two');
    // 3. Nobody trusts the old one any more.
    await isReadByAgents(() => isRead(() => trust(second)));
    await eventually(
      async () => typeof (await call(await first.issue(`late-${Date.now()}`))).status === 'string',
    );
    await syncs('step three');

    isOver = true;
    await calls;
    expect([...statuses]).to.deep.equal([200]);
    for (const [index, log] of (await logs()).entries()) {
      expect(log.slice(before[index]!.length)).to.not.match(/WARN|ERROR/);
    }
  });

  it('keeps its certificate when the files become bad', async () => {
    const manager = cluster.managers[0]!;
    const good = await readFile(at('manager.pem'));
    await writeFile(at('manager.pem'), 'nonsense');
    await eventually(async () => /not good.*manager\.cert-file/.test(await manager.log()));
    expect((await call(await second.issue('still'))).status).to.equal(200);
    await writeFile(at('manager.pem'), good);
  });

  it('does not start with a certificate that is expired or has another key, before anything is touched', async () => {
    const DAY_MS = 24 * 3_600_000;
    const [from, to] = [new Date(Date.now() - 2 * DAY_MS), new Date(Date.now() - DAY_MS)];
    const expired = await second.issue('expired', { from, to });
    const good = await second.issue('good');
    const start = (program: 'manager' | 'agent', files: Issued) => {
      const prefix = `CLUSTERFLUX_${program.toUpperCase()}`;
      const directoryFlag = program === 'manager' ? '--data-dir' : '--state-dir';
      return cluster.run([program, directoryFlag, at('never'), '--bind-address', '127.0.0.1:0'], {
        [`${prefix}_CERT_FILE`]: files.certFile,
        [`${prefix}_KEY_FILE`]: files.keyFile,
      });
    };
    for (const program of ['manager', 'agent'] as const) {
      const late = await start(program, expired);
      expect(late.code).to.equal(2);
      expect(late.stderr)
        .to.include(`${program}.cert-file`)
        .and.include('the certificate expired at');
      const foreign = await start(program, { ...good, keyFile: expired.keyFile });
      expect(foreign.code).to.equal(2);
      expect(foreign.stderr).to.include(`${program}.key-file`).and.include('it is not the key of');
    }
    expect(existsSync(at('never'))).to.equal(false);
  });
});
