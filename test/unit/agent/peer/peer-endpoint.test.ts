// Agents that ask each other, over real sockets.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { connect as tlsConnect } from 'node:tls';
import { expect } from 'chai';
import { HELLO_PATH, METADATA_PATH, STATUS_PATH } from '../../../../agent/peer/peer-routes.js';
import { eventually } from '../../../support/eventually.js';
import { Peers, SECRET, type Peer } from './peers.js';

const get = (path: string) => ({ method: 'GET', path }) as const;
const OTHER = 'the secret of another cluster';

describe('the peer endpoint', () => {
  let peers: Peers;
  beforeEach(async () => {
    peers = await Peers.create();
  });
  afterEach(() => peers.end());

  const codeOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'answered',
      (error: unknown) => (error as { code?: unknown }).code ?? error,
    );
  const ask = async (from: Peer, to: Peer, path = HELLO_PATH) => {
    const { status, body } = await from.client.call(to.address, to.uid, get(path));
    return { status, body: body.toString() };
  };

  describe('with a secret', () => {
    let secretFile: string;
    beforeEach(() => {
      secretFile = peers.secretFile('secret', SECRET);
    });

    it('answers who has it, and signs its answers, those to unknown routes too', async () => {
      const [a, b] = [
        await peers.start('a', { secretFile }),
        await peers.start('b', { secretFile }),
      ];
      const hello = await ask(a, b);
      expect(JSON.parse(hello.body)).to.deep.include({ uid: 'b', cluster: 'c', version: 7 });
      expect(await ask(a, b, METADATA_PATH)).to.deep.equal({
        status: 200,
        body: 'metadata with hashes',
      });
      expect((await ask(a, b, STATUS_PATH)).status).to.equal(200);
      expect((await ask(a, b, '/peer/v1/nonsense')).status).to.equal(404);
    });

    it('tells strangers nothing, whatever they ask', async () => {
      const b = await peers.start('b', { secretFile });
      for (const path of [HELLO_PATH, METADATA_PATH, STATUS_PATH, '/peer/', '/peer/v1/nonsense']) {
        for (const authorization of [undefined, 'Basic YTpi', 'Bearer x', 'Clusterflux-V1 x=y']) {
          const headers = authorization === undefined ? {} : { authorization };
          const answer = await fetch(b.url + path, { headers });
          expect([path, answer.status]).to.deep.equal([path, 401]);
          expect(await answer.text()).not.to.match(/metadata|uid/);
        }
      }
    });

    it('refuses a request that is sent again, and one whose body is another', async () => {
      const [a, b] = [
        await peers.start('a', { secretFile }),
        await peers.start('b', { secretFile }),
      ];
      await ask(a, b);
      const signatures: string[] = [];
      const middle = createServer((request, response) => {
        signatures.push(request.headers.authorization ?? '');
        response.end();
      });
      await new Promise<void>((resolve) => middle.listen(0, '127.0.0.1', resolve));
      const { port } = middle.address() as AddressInfo;
      // Its answer bears no signature, so it is not believed; and it has heard a signature that was never used.
      expect(
        await codeOf(a.client.call({ host: '127.0.0.1', port }, 'b', get(HELLO_PATH))),
      ).to.equal('unauthorized');
      middle.closeAllConnections();
      middle.close();
      const headers = { authorization: signatures[0]! };
      const post = await fetch(b.url + HELLO_PATH, { method: 'POST', headers, body: 'x' });
      expect(post.status).to.equal(401);
      expect((await fetch(b.url + HELLO_PATH, { headers })).status).to.equal(200);
      const again = await fetch(b.url + HELLO_PATH, { headers });
      expect([again.status, await again.text()].join()).to.match(/401.*used before/s);
    });

    it('refuses what is meant for another node, and says so to who has the secret', async () => {
      const [a, b] = [
        await peers.start('a', { secretFile }),
        await peers.start('b', { secretFile }),
      ];
      expect(await codeOf(a.client.call(b.address, 'c', get(HELLO_PATH)))).to.equal(
        'peer-mismatch',
      );
      await ask(a, b);
      const c = await peers.start('c', { secretFile });
      expect(await codeOf(a.client.call(c.address, 'b', get(HELLO_PATH)))).to.equal(
        'peer-mismatch',
      );
    });

    it('is asked again by itself after it was started anew', async () => {
      const a = await peers.start('a', { secretFile });
      const b = await peers.start('b', { secretFile });
      await ask(a, b);
      await b.close();
      const again = await peers.start('b', { secretFile }, { address: b.address });
      expect((await ask(a, again)).status).to.equal(200);
    });

    it('and its client do not believe each other with different secrets, and the error names the key', async () => {
      const other = peers.secretFile('other', OTHER);
      const [a, b] = [
        await peers.start('a', { secretFile }),
        await peers.start('b', { secretFile: other }),
      ];
      const error = await a.client.call(b.address, 'b', get(HELLO_PATH)).catch((e: unknown) => e);
      expect(error).to.have.property('code', 'unauthorized');
      expect(error).to.have.property('message').that.includes('agent.secret-file');
      expect(JSON.stringify([a.logger.lines, b.logger.lines])).not.to.match(/the secret of/);
    });

    it('takes a new secret in its place without a failed call, and then the old one no more', async () => {
      const files = ['a', 'b'].map((name) => peers.secretFile(name, SECRET));
      const [a, b] = [
        await peers.start('a', { secretFile: files[0] }),
        await peers.start('b', { secretFile: files[1] }),
      ];
      const stranger = await peers.start('a', { secretFile: peers.secretFile('old', SECRET) });
      for (const lines of [[SECRET, OTHER], [OTHER, SECRET], [OTHER]]) {
        for (const [index, file] of files.entries()) {
          writeFileSync(file, lines.join('\n'));
          const { logger } = [a, b][index]!;
          const before = logger.lines.length;
          await eventually(async () => {
            await Promise.all([ask(a, b), ask(b, a)]);
            return logger.lines.length > before;
          });
        }
      }
      expect(await codeOf(ask(stranger, b))).to.equal('unauthorized');
    }).timeout(15_000);

    it('keeps the good secret where the file is emptied, and says which file once', async () => {
      const [a, b] = [
        await peers.start('a', { secretFile }),
        await peers.start('b', { secretFile }),
      ];
      writeFileSync(secretFile, '\n');
      await eventually(() => b.logger.lines.some(({ level }) => level === 'error'));
      expect((await ask(a, b)).status).to.equal(200);
      expect(JSON.stringify(b.logger.lines)).to.include(secretFile);
    });

    it('limits failed attempts of an address, and lets who has the secret through all the same', async () => {
      const a = await peers.start('a', { secretFile });
      const b = await peers.start('b', { secretFile }, { maxAuthFailures: 3 });
      const statuses = [];
      for (let i = 0; i < 5; i += 1) statuses.push((await fetch(b.url + METADATA_PATH)).status);
      expect(statuses).to.deep.equal([401, 401, 401, 429, 429]);
      expect((await fetch(b.url + METADATA_PATH)).headers.get('retry-after')).to.match(/^\d+$/);
      expect((await ask(a, b)).status).to.equal(200);
      expect(b.logger.lines.filter(({ level }) => level === 'warn')).to.have.length(3);
    });

    it('reads no body that the route does not take, nor one of a stranger', async () => {
      const b = await peers.start('b', { secretFile });
      const answer = await fetch(b.url + HELLO_PATH, {
        method: 'POST',
        body: 'x'.repeat(1_000_000),
      }).catch(() => undefined);
      expect(answer?.status ?? 401).to.equal(401);
    });

    it('gives status to this machine alone, and health to everybody', async function () {
      const host = Object.values(networkInterfaces())
        .flatMap((list) => list ?? [])
        .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
      // A machine without a network has no other side to come from.
      if (host === undefined) return this.skip();
      const b = await peers.start('b', { secretFile }, { address: { host: '', port: 0 } });
      const remote = (path: string) => fetch(`http://${host}:${b.address.port}${path}`);
      expect((await fetch(`${b.url}/status`)).status).to.equal(200);
      const status = await remote('/status');
      expect([status.status, await status.text()].join()).to.match(/403.*same machine/s);
      const believed = await fetch(`http://${host}:${b.address.port}/status`, {
        headers: { 'x-forwarded-for': '127.0.0.1', host: 'localhost' },
      });
      expect(believed.status).to.equal(403);
      for (const path of ['/livez', '/healthz', '/readyz', '/metrics'])
        expect((await remote(path)).status).to.equal(200);
      expect(await (await remote('/readyz')).json()).to.deep.equal({ ready: true });
    });
  });

  it('without secret and certificates says who it is, and gives no hashes away', async () => {
    const [a, b] = [await peers.start('a'), await peers.start('b')];
    expect((await ask(a, b)).status).to.equal(200);
    expect(await codeOf(ask(a, b, METADATA_PATH))).to.equal('unauthorized');
    expect(await codeOf(a.client.call(b.address, 'c', get(HELLO_PATH)))).to.equal('peer-mismatch');
  });

  it('says in one sentence that nobody is there', async () => {
    const a = await peers.start('a');
    const error = await a.client
      .call({ host: '127.0.0.1', port: 1 }, 'b', get(HELLO_PATH))
      .catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'peer-unreachable', retryable: true });
    expect(
      await codeOf(a.client.call(a.address, 'a', get(HELLO_PATH), AbortSignal.abort())),
    ).to.equal('aborted');
  });

  it('cuts connections beyond its limit, and goes on with the others', async () => {
    const b = await peers.start('b');
    const sockets = Array.from({ length: 60 }, () => connect(b.address.port, '127.0.0.1'));
    let closed = 0;
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.on('close', () => (closed += 1)).resume();
    }
    await eventually(() => closed === 10);
    for (const socket of sockets) socket.destroy();
    // One that is still dropped hangs in the test's own client.
    const lives = () => fetch(`${b.url}/livez`, { signal: AbortSignal.timeout(500) });
    await eventually(async () => (await lives()).status === 200);
  });

  describe('with certificates', () => {
    it('answers who has one of its authority, and gives strangers their health only', async () => {
      const a = await peers.start('a', peers.certificate('a', 'ours'));
      const b = await peers.start('b', peers.certificate('b', 'ours'));
      const stranger = await peers.start('a', peers.certificate('x', 'theirs'));
      expect((await ask(a, b, METADATA_PATH)).body).to.equal('metadata with hashes');
      expect(await codeOf(a.client.call(b.address, 'c', get(HELLO_PATH)))).to.equal(
        'peer-mismatch',
      );
      expect(await codeOf(ask(stranger, b))).to.equal('peer-unreachable');
      const bare = (path: string) => statusOf(b, path, peers);
      expect([
        await bare('/livez'),
        await bare(METADATA_PATH),
        await bare(HELLO_PATH),
      ]).to.deep.equal([200, 401, 401]);
    });

    it('asks for the signature too where there is a secret, and either opens it', async () => {
      const secretFile = peers.secretFile('secret', SECRET);
      const a = await peers.start('a', { ...peers.certificate('a', 'ours'), secretFile });
      const b = await peers.start('b', { ...peers.certificate('b', 'ours'), secretFile });
      expect((await ask(a, b, METADATA_PATH)).status).to.equal(200);
    });

    it('takes new ones when the files change, and keeps the old where the new are no pair', async () => {
      const files = peers.certificate('b', 'ours');
      const a = await peers.start('a', peers.certificate('a', 'ours'));
      const b = await peers.start('b', files);
      const first = await serialOf(b);
      const good = readFileSync(files.certFile!);
      writeFileSync(files.certFile!, readFileSync(peers.certificate('c', 'ours').certFile!));
      await eventually(() => b.logger.lines.some(({ level }) => level === 'error'));
      expect(await serialOf(b)).to.equal(first);
      writeFileSync(files.certFile!, good);
      peers.certificate('b', 'ours');
      await eventually(async () => (await serialOf(b)) !== first, { everyMs: 50 });
      expect((await ask(a, b)).status).to.equal(200);
    }).timeout(15_000);
  });
});

/** Of a client that trusts the authority and has no certificate. */
function statusOf(peer: Peer, path: string, { dir }: Peers): Promise<number> {
  const ca = readFileSync(`${dir}/ours.ca.pem`);
  return new Promise((resolve, reject) => {
    httpsRequest(peer.url + path, { ca, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

function serialOf({ address }: Peer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ ...address, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    }).on('error', reject);
  });
}
