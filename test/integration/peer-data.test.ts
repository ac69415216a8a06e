// Points and answers between two agents' peer endpoints over real sockets: batches with their outcomes, answers of any length,
// and what either end sees when the other one goes away in the middle.
import { createServer, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { PeerOwners } from '../../agent/gateway/owner/peers.js';
import type { ReadOutcome } from '../../agent/gateway/owner/port.js';
import { createDataClient, type InfluxDataClient } from '../../agent/influxd/data-client.js';
import { dataRoutes } from '../../agent/peer/data-routes.js';
import type { Address } from '../../shared/config/address.js';
import { eventually } from '../support/eventually.js';
import type { OwnerUnderTest } from '../support/gateway/local-owner.js';
import { batchOf, ownerOn, readOf } from '../support/gateway/local-owner.js';
import { startInfluxd, type TestInfluxd } from '../support/influxd.js';
import { Peers, SECRET, type Peer } from '../unit/agent/peer/peers.js';

const NEVER = new AbortController().signal;
const ROWS = 1_000_000;
const MIB = 1024 * 1024;

interface Pair {
  readonly owned: OwnerUnderTest;
  readonly owner: Peer;
  readonly asker: Peer;
  /** The other agent's way to it. */
  readonly far: PeerOwners;
}

describe('points between agents', function () {
  this.timeout(60_000);
  let peers: Peers;
  const ends: (() => void)[] = [];
  beforeEach(async () => {
    peers = await Peers.create();
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) end();
    await peers.end();
  });

  /** @param through where the asker finds the owner, in place of its own address. */
  async function pair(
    url: string,
    {
      isGuarded = true,
      secret = true,
      through,
      hear = () => undefined,
    }: {
      isGuarded?: boolean;
      secret?: boolean;
      through?: (address: Address) => Promise<Address>;
      hear?: (news: unknown) => void;
    } = {},
  ): Promise<Pair> {
    const files = secret ? { secretFile: peers.secretFile('secret', SECRET) } : {};
    const client = createDataClient({ url });
    ends.push(() => {
      client.close();
    });
    const owned = ownerOn(client);
    const routes = dataRoutes({
      owner: owned.owner,
      words: {
        boot: 'b',
        hear: async (news) => {
          hear(news);
        },
      },
      gate: { epoch: 1 },
      isReady: () => true,
      stands: (holder, owners) => owners.filter((owner) => holder === 'a' && owner === 'd'),
      monotonicMs: () => 1,
      reach: async (version) => version <= 7,
      runDeletes: async () => true,
      takePassword: async () => false,
      isGuarded,
    });
    const asker = await peers.start('a', files);
    const owner = await peers.start('b', files, { routes });
    const address = (await through?.(owner.address)) ?? owner.address;
    const node = { ...{ id: 1, uid: 'b', address, hostname: 'b', isAlive: true }, behind: [] };
    const far = new PeerOwners({
      directory: { node: (id) => (id === 1 ? node : undefined) },
      client: asker.client,
    });
    return { owned, owner, asker, far };
  }

  function opened(outcome: ReadOutcome): Extract<ReadOutcome, { kind: 'opened' }> {
    if (outcome.kind !== 'opened') throw new Error(JSON.stringify(outcome));
    return outcome;
  }

  const errorOf = (body: Readable): Promise<unknown> =>
    text(body).then(
      (whole) => `it ended cleanly after ${whole.length} bytes`,
      (error: unknown) => error,
    );

  describe('on a real influxd', () => {
    let influxd: TestInfluxd;
    let local: InfluxDataClient;
    before(async () => {
      influxd = await startInfluxd();
      local = createDataClient({ url: influxd.url });
      await influxd.query('CREATE DATABASE telegraf');
    });
    after(async () => {
      local.close();
      await influxd.remove();
    });

    it('has a batch applied, and its outcome told, word by word', async () => {
      const { far, owned } = await pair(influxd.url);
      expect(await far.send(1, batchOf('m v=1 1'), NEVER)).to.deep.equal({ kind: 'applied' });
      expect(await far.send(1, batchOf('m v="x" 2'), NEVER)).to.deep.include({
        kind: 'refused',
        dropped: 1,
      });
      owned.world.placement = { ...owned.world.placement, version: 9, groups: [] };
      expect(await far.send(1, batchOf('m v=1 1'), NEVER)).to.deep.equal({
        ...{ kind: 'stale', placementVersion: 9, metadataVersion: 1 },
      });
      expect(await far.send(2, batchOf('m v=1 1'), NEVER)).to.have.property('kind', 'failed');
      const large = batchOf('m v=1 1', { body: Buffer.alloc(33 * MIB, 'x') });
      expect(await far.send(1, large, NEVER)).to.deep.equal({ kind: 'too-large' });
    });

    it('has a read answered with its own type and status, or told why not', async () => {
      const { far, owned } = await pair(influxd.url);
      await influxd.write('telegraf', 'one v=1 1000000000');
      const answer = opened(
        await far.read(1, readOf('SELECT v FROM one', { accept: 'text/csv' }), NEVER),
      );
      expect([answer.status, answer.contentType]).to.deep.equal([200, 'text/csv']);
      expect(await text(answer.body)).to.match(/^name,tags,time,v\none,,1,1|one,,1000000000,1/);
      owned.world.behind = 'node 3 holds hints for it';
      expect(await far.read(1, readOf('SELECT v FROM one'), NEVER)).to.deep.equal({
        ...{ kind: 'behind', why: 'node 3 holds hints for it', retryAfterMs: 100 },
      });
    });

    it("ends influxd's query when the client leaves in the middle", async () => {
      const body = Array.from({ length: 100_000 }, (_, at) => `long v=${at} ${at}`).join('\n');
      const write = { database: 'telegraf', policy: 'autogen', precision: 's', body } as const;
      await local.write({ ...write, body: Buffer.from(body) }, NEVER);
      const { far } = await pair(influxd.url);
      const leaving = new AbortController();
      const query = readOf('SELECT v, v + 1, v + 2, v + 3 FROM long', {
        ...{ chunked: true, chunkSize: 10 },
      });
      const { body: rows } = opened(await far.read(1, query, leaving.signal));
      rows.once('error', () => undefined);
      const running = async () => (await influxd.names('SHOW QUERIES')).length;
      // One is SHOW QUERIES itself. Nobody reads, so that the other one waits for a reader.
      await eventually(async () => (await running()) === 2);
      leaving.abort();
      await eventually(async () => (await running()) === 1);
    });

    it('breaks off where influxd is killed in the middle', async () => {
      const { far } = await pair(influxd.url);
      const query = readOf('SELECT v, v + 1 FROM long', { chunked: true, chunkSize: 10 });
      const { body } = opened(await far.read(1, query, NEVER));
      await influxd.kill9();
      expect(String(await errorOf(body))).to.match(/broke off/);
      await influxd.start();
    });
  });

  describe('on an answer of a million rows', () => {
    const ROW = 'cpu,host=server01,1600000000000000000,42.125\n';
    let server: Server;
    let url: string;
    /** Rows that were given out. */
    let served = 0;
    before(async () => {
      server = createServer((request, response) => {
        request.resume();
        response.writeHead(200, { 'content-type': 'text/csv' });
        const chunk = Buffer.from(ROW.repeat(1_000));
        served = 0;
        function* rows() {
          for (; served < ROWS; served += 1_000) yield chunk;
        }
        Readable.from(rows(), { objectMode: false }).pipe(response);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    after(() => {
      server.closeAllConnections();
      server.close();
    });

    it('brings all of it through, and holds little of it at any time', async () => {
      const { far } = await pair(url);
      const { body } = opened(await far.read(1, readOf('SELECT v FROM m'), NEVER));
      // Nobody reads yet: what is on its way lies in buffers, and no more is asked for.
      let before = -1;
      await eventually(
        () => {
          const isAtRest = served === before && served > 0;
          before = served;
          return isAtRest;
        },
        { everyMs: 100 },
      );
      expect(served * ROW.length).to.be.lessThan(20 * MIB);
      let bytes = 0;
      for await (const chunk of body as AsyncIterable<Buffer>) bytes += chunk.length;
      expect(bytes).to.equal(ROWS * ROW.length);
    });

    it('is no end but an error where the connection is cut, altered or goes silent', async () => {
      for (const how of ['cut', 'alter'] as const) {
        const { far } = await pair(url, {
          through: (address) => meddler(address, how, ends),
        });
        const { body } = opened(await far.read(1, readOf('SELECT v FROM m'), NEVER));
        const error = await errorOf(body);
        expect(error, how).to.be.instanceOf(Error);
        expect(String(error)).to.match(how === 'cut' ? /broke off/ : /altered|broke off|frames/);
      }
    });

    it('is an error where the agent of the owner ends', async () => {
      const { far, owner } = await pair(url);
      const { body } = opened(await far.read(1, readOf('SELECT v FROM m'), NEVER));
      const error = errorOf(body);
      await owner.close();
      expect(String(await error)).to.match(/broke off/);
      const next = await far.read(1, readOf('SELECT v FROM m'), NEVER);
      expect(next).to.have.property('kind', 'failed');
    });

    it('needs no secret where influxd asks for none either, and does where it asks', async () => {
      const open = await pair(url, { secret: false, isGuarded: false });
      const { body } = opened(await open.far.read(1, readOf('SELECT v FROM m'), NEVER));
      expect((await text(body)).length).to.equal(ROWS * ROW.length);
      const guarded = await pair(url, { secret: false, isGuarded: true });
      expect(await guarded.far.send(1, batchOf('m v=1 1'), NEVER))
        .to.have.property('why')
        .that.matches(/secret/);
    });
  });

  it('come with words of hints, which nobody speaks for another node, and with what shall be reached', async () => {
    const heard: unknown[] = [];
    const { owner, asker } = await pair('http://127.0.0.1:1', { hear: (news) => heard.push(news) });
    const post = async (path: string, body: object) => {
      const call = { method: 'POST', path, body: Buffer.from(JSON.stringify(body)) } as const;
      const answer = await asker.client.call(owner.address, 'b', call);
      return [answer.status, JSON.parse(answer.body.toString()) as unknown] as const;
    };
    const news = { from: 'a', boot: 'x', sequence: 1, holds: true, groups: [3], later: 'ignored' };
    const [status, said] = await post('/peer/v1/backlog', news);
    expect([status, said]).to.deep.equal([
      200,
      { boot: 'b', tick: 1, epoch: 1, stands: [], ready: true },
    ]);
    // As a release says it that can stand for others; the one above can't.
    const untold = { ...news, sequence: 2, untold: ['d', 'e'], witnessed: ['f'] };
    expect((await post('/peer/v1/backlog', untold))[1]).to.deep.include({ stands: ['d'] });
    expect((await post('/peer/v1/backlog', { ...news, from: 'c' }))[0]).to.equal(400);
    expect((await post('/peer/v1/backlog', { holds: true }))[0]).to.equal(400);
    const word = { from: 'a', boot: 'x', sequence: 1, holds: true, groups: [3] };
    expect(heard).to.deep.equal([
      { ...word, untold: [], witnessed: [] },
      { ...word, sequence: 2, untold: ['d', 'e'], witnessed: ['f'] },
    ]);
    const reached = (isIt: boolean) => [200, { reached: isIt }];
    expect(await post('/peer/v1/reach', { version: 7 })).to.deep.equal(reached(true));
    expect(await post('/peer/v1/reach', { version: 8 })).to.deep.equal(reached(false));
    expect(await post('/peer/v1/deletes', { number: 8 })).to.deep.equal(reached(true));
    expect(await post('/peer/v1/passwords', {})).to.deep.equal(reached(false));
  });

  it('says that an agent of an older release takes none', async () => {
    const files = { secretFile: peers.secretFile('secret', SECRET) };
    const asker = await peers.start('a', files);
    const old = await peers.start('b', files);
    const node = {
      id: 1,
      uid: 'b',
      address: old.address,
      hostname: 'b',
      isAlive: true,
      behind: [],
    };
    const far = new PeerOwners({ directory: { node: () => node }, client: asker.client });
    for (const outcome of [
      await far.send(1, batchOf('m v=1 1'), NEVER),
      await far.read(1, readOf('SELECT 1'), NEVER),
    ]) {
      expect(outcome).to.have.property('kind', 'failed');
      expect(outcome)
        .to.have.property('why')
        .that.matches(/of a release that takes no points/);
    }
  });
});

/** Passes bytes on in both directions, and does something to the answer after 5 MiB. */
async function meddler(
  { port }: Address,
  how: 'cut' | 'alter',
  ends: (() => void)[],
): Promise<Address> {
  const server = createTcpServer((inside) => {
    const outside = connect(port, '127.0.0.1');
    let bytes = 0;
    inside.on('error', () => undefined).pipe(outside);
    outside.on('error', () => undefined);
    outside.on('data', (chunk: Buffer) => {
      const isNow = bytes < 5 * MIB && bytes + chunk.length >= 5 * MIB;
      bytes += chunk.length;
      if (isNow && how === 'cut') {
        inside.end();
        outside.destroy();
        return;
      }
      if (isNow) chunk.writeUInt8(chunk.readUInt8(0) ^ 1, 0);
      if (!inside.write(chunk)) {
        outside.pause();
        inside.once('drain', () => outside.resume());
      }
    });
    outside.on('close', () => inside.destroy());
    inside.on('close', () => outside.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => server.close());
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}
