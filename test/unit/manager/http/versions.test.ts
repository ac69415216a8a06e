// The versions of a cluster over HTTP: writing, reading, waiting, and what bad input gets.
import { expect } from 'chai';
import { startTestManager, type TestManager } from '../../../support/manager.js';
import { eventually } from '../../../support/eventually.js';
import { database, snapshotOf, snapshotWith, user } from '../../../support/snapshots.js';

interface Answer {
  statusCode: number;
  headers: Record<string, unknown>;
  rawPayload: Buffer;
  payload: string;
}

describe('manager versions API', () => {
  let manager: TestManager;
  beforeEach(async () => {
    manager = await startTestManager();
  });
  afterEach(() => manager.close());

  const write = (
    version: number | string,
    body: Buffer,
    headers: Record<string, string> = {},
    cluster = 'c',
  ): Promise<Answer> =>
    manager.app.inject({
      method: 'PUT',
      url: `/clusters/${cluster}/versions/${version}`,
      payload: body,
      headers,
    });

  const read = (
    version: number,
    headers: Record<string, string> = {},
    query = '?wait=0s',
  ): Promise<Answer> =>
    manager.app.inject({
      url: `/clusters/c/versions/${version}${query}`,
      headers,
    });

  const codeOf = ({ payload }: Answer): string => (JSON.parse(payload) as { code: string }).code;

  describe('writing', () => {
    it('makes version 1 of a cluster that did not exist, and returns the bytes as sent', async () => {
      const body = snapshotWith('telegraf');
      const written = await write(0, body);
      expect(written.statusCode).to.equal(200);
      expect(JSON.parse(written.payload)).to.include({ version: 1 });
      const answer = await read(0);
      expect(answer.statusCode).to.equal(200);
      expect(answer.rawPayload.equals(body)).to.equal(true);
      expect(answer.headers['content-type']).to.equal('application/x-protobuf');
      expect(answer.headers['x-clusterflux-version']).to.equal('1');
      const { 'x-clusterflux-incarnation': incarnation, 'x-clusterflux-digest': digest } =
        answer.headers;
      expect(answer.headers['etag']).to.equal(`"${String(incarnation)}.1.${String(digest)}"`);
      expect(written.headers['etag']).to.equal(answer.headers['etag']);
    });

    it('takes POST as well, and any content type or none as bytes', async () => {
      for (const [version, type] of [
        'application/x-www-form-urlencoded',
        'application/json',
        'text/plain',
        'application/octet-stream',
      ].entries()) {
        const answer = await manager.app.inject({
          method: 'POST',
          url: `/clusters/c/versions/${version}`,
          payload: snapshotWith(...Array.from({ length: version + 1 }, (_, each) => `db${each}`)),
          headers: { 'content-type': type },
        });
        expect(answer.statusCode, type).to.equal(200);
      }
    });

    it('answers a lost write with the newest snapshot and its version', async () => {
      const first = snapshotWith('a');
      await write(0, first);
      const lost = await write(0, snapshotWith('b'));
      expect(lost.statusCode).to.equal(409);
      expect(lost.headers['x-clusterflux-version']).to.equal('1');
      expect(lost.rawPayload.equals(first)).to.equal(true);
    });

    it('answers a write on a version of a cluster that does not exist with version 0 and no body', async () => {
      const lost = await write(3, snapshotWith('a'));
      expect(lost.statusCode).to.equal(409);
      expect(lost.headers['x-clusterflux-version']).to.equal('0');
      expect(lost.rawPayload).to.have.length(0);
    });

    it('gives the same key the same answer, also after other writes', async () => {
      const headers = { 'idempotency-key': 'k 1/ü' };
      const first = await write(0, snapshotWith('a'), headers);
      await write(1, snapshotWith('a', 'b'));
      const again = await write(0, snapshotWith('a'), headers);
      expect(again.statusCode).to.equal(200);
      expect(again.payload).to.equal(first.payload);
      const outcome = await manager.app.inject({
        url: `/clusters/c/writes/${encodeURIComponent('k 1/ü')}`,
      });
      expect(outcome.json()).to.include({ version: 1 });
    });

    it('says that an unknown key was never accepted', async () => {
      const answer = (await manager.app.inject({ url: '/clusters/c/writes/nope' })) as Answer;
      expect(answer.statusCode).to.equal(404);
      expect(codeOf(answer)).to.equal('version-not-found');
    });

    it('refuses a matching number under another incarnation or digest', async () => {
      const first = await write(0, snapshotWith('a'));
      const etag = String(first.headers['etag']);
      const other = etag.replace(/[0-9a-f]{8}-/, '00000000-');
      const lost = await write(1, snapshotWith('b'), { 'if-match': other });
      expect(lost.statusCode).to.equal(409);
      expect(lost.headers['x-clusterflux-lineage']).to.equal('forked');
      const won = await write(1, snapshotWith('b'), { 'if-match': etag });
      expect(won.statusCode).to.equal(200);
    });

    it('refuses what is no snapshot, and changes nothing', async () => {
      for (const body of [Buffer.from('hello'), Buffer.alloc(0), Buffer.from([0xff, 0xff])]) {
        const answer = await write(0, body);
        expect(answer.statusCode).to.equal(400);
        expect(codeOf(answer)).to.equal('snapshot-invalid');
      }
      expect((await read(1)).statusCode).to.equal(404);
    });

    it('refuses a body over the limit with 413', async () => {
      const answer = await write(0, Buffer.alloc(1024 * 1024 + 1));
      expect(answer.statusCode).to.equal(413);
      expect(codeOf(answer)).to.equal('snapshot-too-large');
      expect(JSON.parse(answer.payload)).to.include({ 'limit-bytes': 1024 * 1024 });
    });

    it('refuses headers that are not what they should be', async () => {
      for (const headers of [
        { 'if-match': 'x' },
        { 'x-clusterflux-node': '-1' },
        { 'idempotency-key': 'a\tb' },
        { 'if-match': `"00000000-0000-0000-0000-000000000000.7.${'0'.repeat(64)}"` },
      ]) {
        const answer = await write(0, snapshotWith('a'), headers);
        expect(answer.statusCode, JSON.stringify(headers)).to.equal(400);
      }
    });
  });

  describe('reading', () => {
    it('answers at once where the reader has seen another version', async () => {
      await write(0, snapshotWith('a'));
      await write(1, snapshotWith('b'));
      expect((await read(1, {}, '')).headers['x-clusterflux-version']).to.equal('2');
      expect((await read(7, {}, '')).headers['x-clusterflux-version']).to.equal('2');
    });

    it('answers 204 after the wait where there is nothing newer', async () => {
      await write(0, snapshotWith('a'));
      expect((await read(1, {}, '?wait=0s')).statusCode).to.equal(204);
      expect((await read(1, {}, '?wait=20ms')).statusCode).to.equal(204);
    });

    it('waits at version 0 for a cluster that does not exist yet', async () => {
      const waiting = read(0, {}, '?wait=10s');
      await eventually(() => manager.services.views.waiting === 1);
      await write(0, snapshotWith('a'));
      expect((await waiting).headers['x-clusterflux-version']).to.equal('1');
    });

    it('answers 404 for a reader who has seen a version of a cluster that does not exist', async () => {
      const answer = await read(1);
      expect(answer.statusCode).to.equal(404);
      expect(codeOf(answer)).to.equal('cluster-not-found');
    });

    it('ends the wait of a reader with 404 when the cluster is deleted', async () => {
      await write(0, snapshotWith('a'));
      const waiting = read(1, {}, '?wait=10s');
      await eventually(() => manager.services.views.waiting === 1);
      const gone = await manager.app.inject({ method: 'DELETE', url: '/clusters/c?expect=1' });
      expect(gone.statusCode).to.equal(204);
      expect((await waiting).statusCode).to.equal(404);
    });

    it('gives a store that went back in time a new incarnation, once', async () => {
      const written = await write(0, snapshotWith('a'));
      const [, incarnation = '', digest = ''] =
        /"([0-9a-f-]{36})\.1\.([0-9a-f]{64})"/.exec(String(written.headers['etag'])) ?? [];
      const fromTheFuture = `"${incarnation}.5.${digest}"`;
      const forked = await read(5, { 'x-clusterflux-known': fromTheFuture });
      expect(forked.statusCode).to.equal(200);
      expect(forked.headers['x-clusterflux-lineage']).to.equal('forked');
      const renewed = forked.headers['x-clusterflux-incarnation'];
      expect(renewed).to.not.equal(incarnation);
      const again = await read(5, { 'x-clusterflux-known': fromTheFuture });
      expect(again.headers['x-clusterflux-incarnation']).to.equal(renewed);
    });

    it('gives a known version with another content a new incarnation, and one of the line none', async () => {
      const first = await write(0, snapshotWith('a'));
      await write(1, snapshotWith('b'));
      const etag = String(first.headers['etag']);
      const inLine = await read(1, { 'x-clusterflux-known': etag });
      expect(inLine.headers).to.not.have.property('x-clusterflux-lineage');
      const other = etag.replace(/\.[0-9a-f]{8}/, '.00000000');
      const forked = await read(1, { 'x-clusterflux-known': other });
      expect(forked.headers['x-clusterflux-lineage']).to.equal('forked');
    });

    it('gives the decoded form on request, with digests instead of hashes', async () => {
      await write(0, snapshotOf(database('a'), user('alice', 'secret-hash'), user('__proto__')));
      const answer = await read(0, { accept: 'application/json' });
      expect(answer.headers['content-type']).to.equal('application/json');
      expect(answer.payload).to.not.contain('secret-hash');
      const { users, databases, version } = JSON.parse(answer.payload) as {
        version: number;
        users: { name: string; password: string }[];
        databases: { name: string }[];
      };
      expect(version).to.equal(1);
      expect(databases.map(({ name }) => name)).to.deep.equal(['a']);
      expect(users.map(({ name }) => name)).to.have.members(['alice', '__proto__']);
      expect(users[0]?.password).to.match(/^hmac:[0-9a-f]{12}$/);
    });

    it('refuses versions and waits that are none', async () => {
      for (const [url, code] of [
        ['/clusters/c/versions/x', 'version-invalid'],
        ['/clusters/c/versions/-1', 'version-invalid'],
        ['/clusters/c/versions/1.5', 'version-invalid'],
        ['/clusters/c/versions/9999999999999999', 'version-invalid'],
        ['/clusters/c/versions/0?wait=soon', 'body-invalid'],
      ] as const) {
        const answer = (await manager.app.inject({ url })) as Answer;
        expect(answer.statusCode, url).to.equal(400);
        expect(codeOf(answer), url).to.equal(code);
      }
    });

    it('refuses one reader too many with 503 and Retry-After', async () => {
      const small = await startTestManager({ maxWaiters: 1 });
      const url = '/clusters/c/versions/0?wait=10s';
      const first = small.app.inject({ url });
      await eventually(() => small.services.views.waiting === 1);
      const second = (await small.app.inject({ url })) as Answer;
      expect(second.statusCode).to.equal(503);
      expect(codeOf(second)).to.equal('too-many-waiters');
      expect(second.headers['retry-after']).to.equal('5');
      small.drain();
      expect((await first).statusCode).to.equal(204);
      await small.close();
    });
  });
});
