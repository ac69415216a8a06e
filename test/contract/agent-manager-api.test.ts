// One suite for the agent's ManagerApi, run against the fake that the property tests lean on and against the real manager
// over HTTP: what holds for the one must hold for the other.
import { expect } from 'chai';
import { createFakeManager } from '../../agent/manager-api/fake-manager-api.js';
import { createHttpManagerApi } from '../../agent/manager-api/http-manager-api.js';
import { createHttpMembershipApi } from '../../agent/manager-api/http-membership-api.js';
import { ManagerClient } from '../../agent/manager-api/manager-client.js';
import type { MembershipApi, Registration } from '../../agent/manager-api/membership-port.js';
import type {
  ManagerApi,
  ReadResult,
  RemoteSnapshot,
  WriteResult,
} from '../../agent/manager-api/port.js';
import { createFakeRegistry } from '../../agent/membership/fake-membership-api.js';
import type { VersionTag } from '../../shared/api/version-tag.js';
import { isAppError } from '../../shared/errors/app-error.js';
import { keyOf } from '../../shared/meta/model.js';
import { eventually } from '../support/eventually.js';
import { startTestManager } from '../support/manager.js';
import { snapshotWith } from '../support/snapshots.js';

interface Subject {
  readonly api: ManagerApi;
  readonly membership: MembershipApi;
  waiting(): number;
  close(): Promise<void>;
}

const subjects: Record<string, () => Promise<Subject>> = {
  'the fake': async () => {
    const fake = createFakeManager();
    return {
      api: fake.api(),
      membership: createFakeRegistry(),
      waiting: () => fake.waiting,
      close: async () => undefined,
    };
  },
  'the manager over HTTP': async () => {
    const manager = await startTestManager({ listen: true });
    const client = new ManagerClient({ endpoints: [manager.url] });
    return {
      api: createHttpManagerApi(client),
      membership: createHttpMembershipApi(client),
      waiting: () => manager.services.views.waiting,
      close: async () => {
        client.close();
        await manager.close();
      },
    };
  },
};

const NOW = { seen: undefined, waitMs: 0 };
const CLUSTER = 'a/b ü %41';

function write(api: ManagerApi, key: string, seen: VersionTag | undefined, ...names: string[]) {
  const bytes = snapshotWith(...names);
  return api.write(CLUSTER, { seen, bytes, idempotencyKey: key, nodeId: 7 });
}

function accepted(result: WriteResult): VersionTag {
  expect(result).to.have.property('kind', 'accepted');
  return (result as Extract<WriteResult, { kind: 'accepted' }>).tag;
}

function snapshotIn(result: ReadResult): RemoteSnapshot {
  expect(result).to.have.property('kind', 'snapshot');
  return (result as Extract<ReadResult, { kind: 'snapshot' }>).snapshot;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (isAppError(error) ? error.code : String(error)),
  );
}

for (const [name, create] of Object.entries(subjects)) {
  describe(`the agent's way to the managers: ${name}`, () => {
    let subject: Subject;
    let api: ManagerApi;
    beforeEach(async () => {
      subject = await create();
      ({ api } = subject);
    });
    afterEach(() => subject.close());

    it('has nothing to say of a cluster that does not exist, to one who saw none', async () => {
      expect(await api.read(CLUSTER, NOW)).to.deep.equal({ kind: 'unchanged' });
      expect(await api.writeOutcome(CLUSTER, 'k')).to.deep.equal({ kind: 'unknown-key' });
      expect((await api.survey(CLUSTER)).map(({ incarnation }) => incarnation)).to.deep.equal([
        undefined,
      ]);
    });

    it('tells one who saw a version that the cluster is gone', async () => {
      const seen = {
        incarnation: '11111111-1111-4111-8111-111111111111',
        version: 3,
        digest: 'a'.repeat(64),
      };
      expect(await api.read(CLUSTER, { seen, waitMs: 0 })).to.deep.equal({
        kind: 'cluster-not-found',
      });
      const lost = await write(api, 'k', seen, 'one');
      expect(lost).to.have.property('kind', 'lost');
      expect(lost).to.have.nested.property('newest.tag.version', 0);
      expect(lost).to.have.nested.property('newest.bytes.length', 0);
    });

    it('gives back what was written, byte by byte, under the tag that the writer got', async () => {
      const tag = accepted(await write(api, 'k1', undefined, 'one'));
      expect(tag.version).to.equal(1);
      const read = snapshotIn(await api.read(CLUSTER, NOW));
      expect(read).to.deep.equal({ tag, bytes: snapshotWith('one'), forked: false });
      expect(await api.read(CLUSTER, { seen: tag, waitMs: 0 })).to.deep.equal({
        kind: 'unchanged',
      });
      expect((await api.survey(CLUSTER)).map(({ incarnation }) => incarnation)).to.deep.equal([
        tag.incarnation,
      ]);
    });

    it('lets one of two writers win, and shows the other what stands', async () => {
      const base = accepted(await write(api, 'k1', undefined, 'one'));
      const results = await Promise.all([
        write(api, 'k2', base, 'one', 'two'),
        write(api, 'k3', base, 'one', 'three'),
      ]);
      expect(results.map(({ kind }) => kind).sort()).to.deep.equal(['accepted', 'lost']);
      const lost = results.find(({ kind }) => kind === 'lost') as Extract<
        WriteResult,
        { kind: 'lost' }
      >;
      const read = snapshotIn(await api.read(CLUSTER, NOW));
      expect(lost.newest).to.deep.equal(read);
      expect(await write(api, 'k4', undefined, 'x')).to.have.property('kind', 'lost');
    });

    it('gives the same answer to the same key', async () => {
      const first = accepted(await write(api, 'k/1 %', undefined, 'one'));
      accepted(await write(api, 'k2', first, 'two'));
      expect(accepted(await write(api, 'k/1 %', undefined, 'one'))).to.deep.equal(first);
      expect(await api.writeOutcome(CLUSTER, 'k/1 %')).to.deep.equal({
        kind: 'accepted',
        tag: first,
      });
      expect(snapshotIn(await api.read(CLUSTER, NOW)).tag.version).to.equal(2);
    });

    it('refuses what is not a snapshot', async () => {
      const bytes = Buffer.from('not a snapshot');
      const request = { seen: undefined, bytes, idempotencyKey: 'k', nodeId: 7 };
      expect(await api.write(CLUSTER, request)).to.include({
        kind: 'refused',
        code: 'snapshot-invalid',
      });
      expect(await api.read(CLUSTER, NOW)).to.deep.equal({ kind: 'unchanged' });
    });

    it('gives marks and tombstones of each version', async () => {
      const first = accepted(await write(api, 'k1', undefined, 'one', 'two'));
      accepted(await write(api, 'k2', first, 'two'));
      const one = keyOf({ kind: 'database', path: ['one'] });
      const two = keyOf({ kind: 'database', path: ['two'] });
      expect((await api.marks(CLUSTER, 1)).marks.get(one)).to.equal(1);
      const { marks, tombstones, version } = await api.marks(CLUSTER, 2);
      expect(version).to.equal(2);
      expect([marks.get(one), marks.get(two)]).to.deep.equal([undefined, 1]);
      const stone = tombstones.find(({ key }) => key === one);
      expect(stone).to.include({ mark: 1, version: 2, node: 7 });
      expect(await codeOf(api.marks(CLUSTER, 9))).to.equal('version-not-found');
      expect((await api.marks(CLUSTER, 0)).marks.size).to.equal(0);
    });

    it('releases a waiting reader by a write, also before the cluster exists', async () => {
      let seen: VersionTag | undefined;
      for (const names of [['one'], ['one', 'two']]) {
        const waiting = api.read(CLUSTER, { seen, waitMs: 30_000 });
        await eventually(() => subject.waiting() === 1);
        const tag = accepted(await write(api, `k${names.length}`, seen, ...names));
        expect(snapshotIn(await waiting).tag).to.deep.equal(tag);
        seen = tag;
      }
    });

    it('ends a wait that is over, and one whose reader leaves', async () => {
      const seen = accepted(await write(api, 'k1', undefined, 'one'));
      expect(await api.read(CLUSTER, { seen, waitMs: 20 })).to.deep.equal({ kind: 'unchanged' });
      const stop = new AbortController();
      const reading = codeOf(api.read(CLUSTER, { seen, waitMs: 30_000, signal: stop.signal }));
      await eventually(() => subject.waiting() === 1);
      stop.abort();
      expect(await reading).to.equal('aborted');
      await eventually(() => subject.waiting() === 0);
    });

    it('says forked to a version that is not in the line, once, and others hear another incarnation', async () => {
      const tag = accepted(await write(api, 'k1', undefined, 'one'));
      const newer = { ...tag, version: 5 };
      const forked = snapshotIn(await api.read(CLUSTER, { seen: newer, waitMs: 0 }));
      expect(forked.forked).to.equal(true);
      expect(forked.tag.incarnation).to.not.equal(tag.incarnation);
      expect(forked.bytes).to.deep.equal(snapshotWith('one'));
      for (const seen of [newer, tag]) {
        const again = snapshotIn(await api.read(CLUSTER, { seen, waitMs: 0 }));
        expect(again).to.deep.equal({ ...forked, forked: true });
        expect(await write(api, `late${seen.version}`, seen, 'x')).to.have.property('kind', 'lost');
      }
      accepted(await write(api, 'k9', forked.tag, 'one', 'two'));
    });

    describe('the registry', () => {
      const registration = (more: Partial<Registration> = {}): Registration => ({
        hostname: 'h',
        ips: ['10.0.0.1'],
        bindAddress: '10.0.0.1:8888',
        uid: 'u1',
        session: 's1',
        previousSession: undefined,
        candidates: ['s1'],
        versions: { agent: '0.1.0' },
        influxd: undefined,
        ...more,
      });
      const heartbeat = (session: string) => ({
        uid: 'u1',
        session,
        version: 0,
        state: 'in-step',
        influxd: undefined,
        pending: 0,
        held: undefined,
        hints: [],
      });

      it('gives a uid its id again, whatever answer was lost', async () => {
        const { membership } = subject;
        const first = await membership.register(CLUSTER, registration());
        expect(first).to.include({ kind: 'registered', version: 0, incarnation: '' });
        const id = (first as Extract<typeof first, { kind: 'registered' }>).id;
        expect(await membership.register(CLUSTER, registration())).to.deep.equal(first);
        const next = registration({ session: 's3', candidates: ['s1', 's2', 's3'] });
        expect(await membership.register(CLUSTER, next)).to.have.property('id', id);
        expect(await membership.refresh(CLUSTER, id, heartbeat('s3'))).to.include({
          kind: 'refreshed',
          ttlMs: 15_000,
        });
        const other = registration({ uid: 'u2' });
        expect(await membership.register(CLUSTER, other)).to.not.have.property('id', id);
      });

      it('refuses an old state directory and a superseded session', async () => {
        const { membership } = subject;
        const first = await membership.register(CLUSTER, registration());
        const id = (first as Extract<typeof first, { kind: 'registered' }>).id;
        const second = { session: 's2', previousSession: 's1', candidates: ['s2'] };
        await membership.register(CLUSTER, registration(second));
        expect(await membership.refresh(CLUSTER, id, heartbeat('s1'))).to.include({
          kind: 'refused',
          code: 'session-superseded',
        });
        const old = { session: 's3', previousSession: 's1', candidates: ['s3'] };
        expect(await membership.register(CLUSTER, registration(old))).to.include({
          kind: 'refused',
          code: 'state-not-current',
        });
      });

      it('forgets a node that deregistered, and takes it back under its id', async () => {
        const { membership } = subject;
        const first = await membership.register(CLUSTER, registration());
        const id = (first as Extract<typeof first, { kind: 'registered' }>).id;
        expect(await membership.deregister(CLUSTER, id)).to.deep.equal({ kind: 'done' });
        expect(await membership.deregister(CLUSTER, id)).to.deep.equal({ kind: 'done' });
        expect(await membership.refresh(CLUSTER, id, heartbeat('s1'))).to.deep.equal({
          kind: 'unknown-node',
        });
        expect(await membership.register(CLUSTER, registration())).to.have.property('id', id);
      });
    });
  });
}
