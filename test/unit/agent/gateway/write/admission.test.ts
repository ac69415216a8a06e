import { expect } from 'chai';
import { request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { Admission } from '../../../../../agent/gateway/write/admission.js';
import type { ApplyOutcome } from '../../../../../agent/gateway/owner/port.js';
import { eventually } from '../../../../support/eventually.js';
import { late } from '../../../../support/gateway/owners.js';
import type { WriteGateway } from '../../../../support/gateway/write-gateway.js';
import { startWriteGateway } from '../../../../support/gateway/write-gateway.js';

describe('admission of writes', () => {
  it('counts bytes and writes until they are released, and releases them once', () => {
    const admission = new Admission({ maxBytes: 100, maxWrites: 10 });
    const claim = admission.admit(60);
    expect(admission.admit(41)).to.equal(undefined);
    expect(admission.admit(40)).to.not.equal(undefined);
    claim?.release();
    claim?.release();
    expect([admission.bytesInFlight, admission.writesInFlight]).to.deep.equal([40, 1]);
  });

  it('admits no more writes than it may', () => {
    const admission = new Admission({ maxBytes: 100, maxWrites: 1 });
    const claim = admission.admit(0);
    expect(admission.admit(0)).to.equal(undefined);
    claim?.release();
    expect(admission.admit(0)).to.not.equal(undefined);
  });

  it('admits one that is larger than all where nothing else is under way', () => {
    const admission = new Admission({ maxBytes: 100, maxWrites: 10 });
    expect(admission.admit(500)).to.not.equal(undefined);
    expect(admission.admit(1)).to.equal(undefined);
  });

  it('lets a claim grow as long as there is room', () => {
    const admission = new Admission({ maxBytes: 100, maxWrites: 10 });
    admission.admit(50);
    const claim = admission.admit(10);
    expect(claim?.grow(40)).to.equal(true);
    expect(claim?.grow(1)).to.equal(false);
    claim?.release();
    expect(admission.bytesInFlight).to.equal(50);
  });

  describe('by how long writes take', () => {
    const MIB = 2 ** 20;
    const admission = () => new Admission({ maxBytes: 128 * MIB, maxWrites: 1_000 });
    /** Writes of a MiB that are admitted at once. */
    function fill(to: Admission) {
      const claims = [];
      for (let claim = to.admit(MIB); claim !== undefined; claim = to.admit(MIB))
        claims.push(claim);
      return claims;
    }
    function work(to: Admission, tookMs: number): number {
      const claims = fill(to);
      for (const claim of claims) {
        claim.answered(tookMs);
        claim.release();
      }
      return claims.length;
    }

    it('admits fewer and fewer where they are slow, and some always', () => {
      const slow = admission();
      const rounds = Array.from({ length: 8 }, () => work(slow, 3_000));
      expect(rounds.slice(0, 3)).to.deep.equal([32, 16, 8]);
      expect(rounds.at(-1)).to.equal(4);
    });

    it('admits more again up to the configured limit where they are quick', () => {
      const quick = admission();
      for (let round = 0; round < 30; round += 1) work(quick, 10);
      expect(fill(quick)).to.have.length(128);
    });

    it('learns nothing from the few writes of a quiet time', () => {
      const quiet = admission();
      for (let round = 0; round < 100; round += 1) {
        const claim = quiet.admit(MIB);
        claim?.answered(1);
        claim?.release();
      }
      expect(fill(quiet)).to.have.length(32);
    });
  });

  describe('at the gateway', () => {
    let gateway: WriteGateway | undefined;

    afterEach(async () => {
      await gateway?.close();
      gateway = undefined;
    });

    async function start(
      outcome: ApplyOutcome | Promise<ApplyOutcome>,
      limits: { maxWrites?: number; maxBytesInFlight?: number; maxBodyBytes?: number },
    ): Promise<string> {
      gateway = await startWriteGateway({ sender: { send: async () => outcome }, ...limits });
      gateway.metadata.add('d');
      return `${gateway.url}/write?db=d`;
    }

    it('a write too many gets 503 and Retry-After, and the next one is taken', async () => {
      const slow = late();
      const url = await start(slow.answer, { maxWrites: 1 });
      const first = fetch(url, { method: 'POST', body: 'm f=1 1' });
      await eventually(() => gateway?.placement.asked.length === 1);
      const second = await fetch(url, { method: 'POST', body: 'm f=1 1' });
      expect(second.status).to.equal(503);
      expect(second.headers.get('retry-after')).to.equal('1');
      expect(second.headers.get('x-clusterflux-code')).to.equal('queue-full');
      slow.give({ kind: 'applied' });
      expect((await first).status).to.equal(204);
      expect((await fetch(url, { method: 'POST', body: 'm f=1 1' })).status).to.equal(204);
    });

    it('a body of unknown length is counted as it comes', async () => {
      const slow = late();
      const url = await start(slow.answer, { maxBytesInFlight: 200_000 });
      const first = fetch(url, { method: 'POST', body: `m f=1 1\n#${'x'.repeat(100_000)}` });
      await eventually(() => gateway?.placement.asked.length === 1);
      expect(await chunked(url, Buffer.alloc(150_000, 35))).to.equal(503);
      slow.give({ kind: 'applied' });
      await first;
      expect(await chunked(url, Buffer.alloc(150_000, 35))).to.equal(204);
    });

    it('what a zip bomb becomes is bounded', async () => {
      const url = await start({ kind: 'applied' }, { maxBodyBytes: 10_000 });
      const headers = { 'content-encoding': 'gzip' };
      const bomb = gzipSync(Buffer.alloc(50_000, 35));
      expect((await fetch(url, { method: 'POST', body: bomb, headers })).status).to.equal(413);
      const good = gzipSync(Buffer.alloc(40_000, 35));
      expect((await fetch(url, { method: 'POST', body: good, headers })).status).to.equal(204);
    });

    it('gives back what a client claimed that went away in the middle of its body', async () => {
      const url = await start({ kind: 'applied' }, { maxWrites: 1 });
      const half = httpRequest(url, { method: 'POST', headers: { 'content-length': '100' } });
      half.on('error', () => undefined);
      half.write('m f=1');
      await eventually(async () => (await tryWrite(url)) === 503);
      half.destroy();
      await eventually(async () => (await tryWrite(url)) === 204);
    });
  });
});

async function tryWrite(url: string): Promise<number> {
  return (await fetch(url, { method: 'POST', body: 'm f=1 1' })).status;
}

/** Sends a body without saying how long it is. */
function chunked(url: string, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: 'POST' }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    request.on('error', reject);
    request.write(body.subarray(0, 10));
    request.end(body.subarray(10));
  });
}
