// What goes out and what answers mean: each answer of the manager becomes a value, and everybody else is no manager.
import { expect } from 'chai';
import { createHttpManagerApi } from '../../../../agent/manager-api/http-manager-api.js';
import { createHttpMembershipApi } from '../../../../agent/manager-api/http-membership-api.js';
import { ManagerClient } from '../../../../agent/manager-api/manager-client.js';
import type { MembershipApi } from '../../../../agent/manager-api/membership-port.js';
import type { ManagerApi } from '../../../../agent/manager-api/port.js';
import { marksToWire } from '../../../../shared/api/marks.js';
import { keyOf } from '../../../../shared/meta/model.js';
import { errorOf } from './errors.js';
import type { ScriptedServer } from './scripted-server.js';
import {
  DIGEST,
  INCARNATION,
  deadUrl,
  json,
  problem,
  snapshot,
  startScriptedServer,
} from './scripted-server.js';

const SEEN = { incarnation: INCARNATION, version: 3, digest: DIGEST };
const TAG = `"${INCARNATION}.3.${DIGEST}"`;
const WRITE = { seen: SEEN, bytes: Buffer.from('new'), idempotencyKey: 'k/1', nodeId: 7 };
const REGISTRATION = {
  hostname: 'h',
  ips: ['10.0.0.1'],
  bindAddress: '10.0.0.1:8888',
  uid: 'u',
  session: 's2',
  previousSession: 's1',
  candidates: ['s2'],
  versions: { agent: '0.1.0' },
  influxd: undefined,
};
const HEARTBEAT = {
  uid: 'u',
  session: 's2',
  version: 3,
  state: 'in-step',
  influxd: { clusterId: '1', term: '2', index: '3', started: 'then' },
  pending: 1,
  held: undefined,
  hints: [],
};

describe('the manager over HTTP', () => {
  let server: ScriptedServer;
  let client: ManagerClient;
  let api: ManagerApi;
  let membership: MembershipApi;

  beforeEach(async () => {
    server = await startScriptedServer();
    client = new ManagerClient({ endpoints: [server.url], random: () => 0 });
    api = createHttpManagerApi(client);
    membership = createHttpMembershipApi(client);
  });
  afterEach(async () => {
    client.close();
    await server.stop();
  });

  it('reads with the version that it knows, and percent-encodes the name', async () => {
    server.answer = () => snapshot(200, 4, 'content');
    const result = await api.read('a/b ü%', { seen: SEEN, waitMs: 50_000 });
    expect(result).to.deep.equal({
      kind: 'snapshot',
      snapshot: { tag: { ...SEEN, version: 4 }, bytes: Buffer.from('content'), forked: false },
    });
    expect(server.asked[0]?.url).to.equal('/clusters/a%2Fb%20%C3%BC%25/versions/3?wait=50000ms');
    expect(server.asked[0]?.headers['x-clusterflux-known']).to.equal(TAG);
  });

  it('reads from 0 without a known version, and tells no news and a missing cluster apart', async () => {
    server.answer = () => ({ status: 204 });
    expect(await api.read('c', { seen: undefined, waitMs: 0 })).to.deep.equal({
      kind: 'unchanged',
    });
    expect(server.asked[0]?.url).to.equal('/clusters/c/versions/0?wait=0ms');
    expect(server.asked[0]?.headers).to.not.have.property('x-clusterflux-known');
    server.answer = () => problem(404, 'cluster-not-found');
    expect(await api.read('c', { seen: SEEN, waitMs: 0 })).to.deep.equal({
      kind: 'cluster-not-found',
    });
  });

  it('hears that the store went back in time', async () => {
    const answer = snapshot(200, 2, '');
    server.answer = () => ({
      ...answer,
      headers: { ...answer.headers, 'x-clusterflux-lineage': 'forked' },
    });
    const result = await api.read('c', { seen: SEEN, waitMs: 0 });
    expect(result).to.have.nested.property('snapshot.forked', true);
  });

  it('writes with If-Match, key and node, and gets the tag', async () => {
    server.answer = () => json(200, { ...SEEN, version: 4 });
    expect(await api.write('c', WRITE)).to.deep.equal({
      kind: 'accepted',
      tag: { ...SEEN, version: 4 },
    });
    const asked = server.asked[0];
    expect(asked).to.include({ method: 'PUT', url: '/clusters/c/versions/3' });
    expect(asked?.headers).to.include({
      'if-match': TAG,
      'idempotency-key': 'k/1',
      'x-clusterflux-node': '7',
      'content-type': 'application/x-protobuf',
    });
    expect(asked?.body.toString()).to.equal('new');
  });

  it('takes a 409 with a version as a lost swap, also where the cluster does not exist', async () => {
    server.answer = () => snapshot(409, 5, 'theirs');
    expect(await api.write('c', WRITE)).to.have.nested.property('newest.tag.version', 5);
    server.answer = () => snapshot(409, 0, '');
    const lost = await api.write('c', WRITE);
    expect(lost).to.have.property('kind', 'lost');
    expect(lost).to.have.nested.property('newest.tag.version', 0);
    expect(server.asked).to.have.length(2);
  });

  it('takes every other 4xx as a refusal with its code', async () => {
    for (const [status, code] of [
      [400, 'snapshot-invalid'],
      [409, 'lineage-mismatch'],
      [413, 'snapshot-too-large'],
      [422, 'too-many-drops'],
    ] as const) {
      server.answer = () => problem(status, code);
      expect(await api.write('c', WRITE)).to.include({ kind: 'refused', code });
    }
    expect(server.asked).to.have.length(4);
  });

  it('finds out what became of a write', async () => {
    server.answer = () => json(200, { ...SEEN, at: '2026-01-01T00:00:00Z' });
    expect(await api.writeOutcome('c', 'k/1')).to.deep.equal({ kind: 'accepted', tag: SEEN });
    expect(server.asked[0]?.url).to.equal('/clusters/c/writes/k%2F1');
    server.answer = () => problem(404, 'version-not-found');
    expect(await api.writeOutcome('c', 'k')).to.deep.equal({ kind: 'unknown-key' });
    server.answer = () => problem(404, 'route-not-found');
    expect(await errorOf(api.writeOutcome('c', 'k'))).to.have.property('code', 'route-not-found');
  });

  it('reads marks, and says which version has none any more', async () => {
    const key = keyOf({ kind: 'policy', path: ['d', 'p'] });
    const marks = {
      version: 3,
      marks: new Map([[key, 2]]),
      tombstones: [{ key, mark: 1, version: 2, at: '2026-01-01T00:00:00Z' }],
      sweptThrough: 0,
    };
    server.answer = () => json(200, marksToWire(marks));
    expect(await api.marks('c', 3)).to.deep.equal(marks);
    server.answer = () => problem(404, 'version-not-found');
    expect(await errorOf(api.marks('c', 3))).to.have.property('code', 'version-not-found');
  });

  it('asks every endpoint that answers for its incarnation', async () => {
    const other = await startScriptedServer(() => problem(404, 'cluster-not-found'));
    const dead = await deadUrl();
    server.answer = () =>
      json(200, {
        name: 'c',
        version: 1,
        incarnation: INCARNATION,
        'updated-at': null,
        nodes: { alive: 0, all: 0 },
      });
    const three = new ManagerClient({ endpoints: [server.url, other.url, dead] });
    expect(await createHttpManagerApi(three).survey('c')).to.deep.equal([
      { endpoint: server.url, incarnation: INCARNATION },
      { endpoint: other.url, incarnation: undefined },
    ]);
    three.close();
    await other.stop();
    const none = new ManagerClient({ endpoints: [dead] });
    expect(await errorOf(createHttpManagerApi(none).survey('c'))).to.have.property(
      'code',
      'manager-unreachable',
    );
  });

  it('registers, with seconds on the wire and milliseconds here', async () => {
    server.answer = () =>
      json(201, {
        id: 3,
        cluster: 'c',
        ttl: 15,
        'heartbeat-interval': 5,
        version: 2,
        incarnation: 'i',
      });
    expect(await membership.register('c', REGISTRATION)).to.deep.equal({
      kind: 'registered',
      id: 3,
      ttlMs: 15_000,
      heartbeatIntervalMs: 5_000,
      version: 2,
      incarnation: 'i',
      orders: undefined, // of an older manager
    });
    expect(JSON.parse(String(server.asked[0]?.body))).to.deep.equal({
      hostname: 'h',
      ips: ['10.0.0.1'],
      'bind-address': '10.0.0.1:8888',
      uid: 'u',
      session: 's2',
      'previous-session': 's1',
      candidates: ['s2'],
      versions: { agent: '0.1.0' },
    });
    server.answer = () => problem(409, 'state-not-current');
    expect(await membership.register('c', REGISTRATION)).to.include({
      kind: 'refused',
      code: 'state-not-current',
    });
  });

  it('refreshes, and tells an unknown node and a superseded session apart', async () => {
    server.answer = () =>
      json(200, {
        ttl: 2,
        version: 4,
        incarnation: 'i',
        'placement-version': 0,
        'registry-revision': 9,
        orders: { paused: null, approval: { digest: 'd', decision: 'keep' } },
      });
    expect(await membership.refresh('c', 3, HEARTBEAT)).to.deep.equal({
      kind: 'refreshed',
      ttlMs: 2_000,
      version: 4,
      incarnation: 'i',
      orders: { paused: null, approval: { digest: 'd', decision: 'keep' } },
      placementVersion: 0,
      registryRevision: 9,
    });
    expect(server.asked[0]).to.include({ method: 'PUT', url: '/nodes/c/3' });
    expect(JSON.parse(String(server.asked[0]?.body))).to.deep.include({
      influxd: { 'cluster-id': '1', term: '2', index: '3', started: 'then' },
      pending: 1,
      hints: [],
    });
    server.answer = () => problem(404, 'node-not-found');
    expect(await membership.refresh('c', 3, HEARTBEAT)).to.deep.equal({ kind: 'unknown-node' });
    server.answer = () => problem(409, 'session-superseded');
    expect(await membership.refresh('c', 3, HEARTBEAT)).to.include({ code: 'session-superseded' });
  });

  it('deregisters, also a node that is gone', async () => {
    expect(await membership.deregister('c', 3)).to.deep.equal({ kind: 'done' });
    server.answer = () => problem(404, 'node-not-found');
    expect(await membership.deregister('c', 3)).to.deep.equal({ kind: 'done' });
    server.answer = () => problem(409, 'version-conflict');
    expect(await membership.deregister('c', 3)).to.have.property('kind', 'refused');
  });

  describe('when something else answers', () => {
    const strangers: Record<string, Parameters<typeof startScriptedServer>[0]> = {
      'a web page': () => ({
        status: 200,
        headers: { 'content-type': 'text/html' },
        body: '<html>',
      }),
      'a redirect': () => ({ status: 302, headers: { location: '/login' } }),
      "somebody's 404": () => ({ status: 404, body: 'not found' }),
      'other JSON': () => json(200, { hello: 'world' }),
    };
    for (const [what, answer] of Object.entries(strangers)) {
      it(`says in one sentence that it is no manager: ${what}`, async () => {
        server.answer = answer ?? (() => 'reset');
        for (const call of [
          () => api.read('c', { seen: undefined, waitMs: 0 }),
          () => api.write('c', WRITE),
          () => api.writeOutcome('c', 'k'),
          () => api.marks('c', 1),
          () => api.survey('c'),
          () => membership.register('c', REGISTRATION),
          () => membership.refresh('c', 3, HEARTBEAT),
          () => membership.deregister('c', 3),
        ]) {
          const error = await errorOf(call());
          expect(error.code).to.equal('manager-invalid');
          expect(error.message).to.include(server.url).and.include('agent.endpoints');
        }
      });
    }

    it('asks the next endpoint the next time', async () => {
      const manager = await startScriptedServer(() => json(200, { ...SEEN, version: 4 }));
      server.answer = () => json(200, { hello: 'world' });
      const both = new ManagerClient({ endpoints: [server.url, manager.url] });
      const twice = createHttpManagerApi(both);
      expect(await errorOf(twice.write('c', WRITE))).to.have.property('code', 'manager-invalid');
      expect(await twice.write('c', WRITE)).to.have.property('kind', 'accepted');
      both.close();
      await manager.stop();
    });
  });

  it('says that a token is missing', async () => {
    server.answer = () => problem(401, 'unauthorized');
    const error = await errorOf(api.read('c', { seen: undefined, waitMs: 0 }));
    expect(error.code).to.equal('unauthorized');
    expect(error.message).to.include('agent.token-file');
  });
});
