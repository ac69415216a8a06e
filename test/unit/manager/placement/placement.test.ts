// The placement as a manager keeps it: members, groups on demand, cuts, completeness, deletes, flags, deregistration.
import { expect } from 'chai';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import type { PlacementBody } from '../../../../shared/api/placement.js';
import { fakeClock, type FakeClock } from '../../../../shared/lifecycle/clock.js';
import { database, policy } from '../../../support/snapshots.js';
import { eventually } from '../../../support/eventually.js';
import { startTestManager, type TestManager } from '../../../support/manager.js';
import { PlacedCluster, type Answer } from './placed-cluster.js';

const NOW = '2026-03-04T12:10:00Z';
const HOUR_MS = 3_600_000;

describe('placement on the manager', () => {
  let clock: FakeClock;
  let store: MemoryStore;
  let manager: TestManager;
  let cluster: PlacedCluster;
  beforeEach(async () => {
    clock = fakeClock(Date.parse(NOW));
    store = new MemoryStore({ clock });
    manager = await startTestManager({ clock, store });
    cluster = new PlacedCluster(manager);
  });
  afterEach(async () => {
    await manager.close();
    await store.close();
  });

  /** Three nodes and a database whose groups are an hour long. */
  async function three(): Promise<void> {
    for (const uid of ['a', 'b', 'c']) await cluster.register(uid);
    await cluster.write(database('db'), policy('db', 'autogen'));
  }
  const owners = ({ body }: Answer<PlacementBody>, index = 0) =>
    body.groups[index]?.shards[0]?.owners.map(({ node }) => node);
  const heartbeat = (id: number, uid: string, more: object = {}) =>
    cluster.ask('PUT', `/nodes/c/${id}`, { uid, session: `session of ${uid}`, ...more });

  describe('members', () => {
    it('are the registered nodes that have the data plane, at once', async () => {
      await cluster.register('a');
      await cluster.register('plain', {});
      await cluster.register('later', { peer: '2' });
      expect(await cluster.members()).to.deep.equal([1, 3]);
      await cluster.ask('DELETE', '/nodes/c/1');
      expect(await cluster.members()).to.deep.equal([3]);
    });

    it('are told with every heartbeat, by the version of the placement', async () => {
      await cluster.register('a');
      const { body } = await heartbeat(1, 'a');
      expect(body['placement-version']).to.equal(1);
    });

    it('stay members while they are silent, and go after placement.out-after, not before', async () => {
      await three();
      const live = async () => {
        await heartbeat(1, 'a');
        await heartbeat(2, 'b');
        await cluster.upkeep();
      };
      await live();
      await clock.advance(20_000);
      await live();
      for (let hours = 0; hours < 23; hours += 1) {
        await clock.advance(HOUR_MS);
        await live();
      }
      expect(await cluster.members()).to.deep.equal([1, 2, 3]);
      await clock.advance(HOUR_MS);
      await live();
      expect(await cluster.members()).to.deep.equal([1, 2]);
    });

    it('that were out are back when they send heartbeats or register again', async () => {
      await three();
      await clock.advance(20_000);
      await cluster.upkeep();
      await clock.advance(25 * HOUR_MS);
      for (const [id, uid] of [
        [1, 'a'],
        [2, 'b'],
      ] as const) {
        await heartbeat(id, uid);
      }
      await cluster.upkeep();
      expect(await cluster.members()).to.deep.equal([1, 2]);
      await heartbeat(3, 'c');
      await cluster.upkeep();
      expect(await cluster.members()).to.deep.equal([1, 2, 3]);
    });

    it('come and go with an event each', async () => {
      await cluster.register('a');
      await cluster.ask('DELETE', '/nodes/c/1');
      await eventually(async () => {
        await clock.advance(100);
        const { body } = await cluster.ask<{ kind: string; text: string }[]>(
          'GET',
          '/events?cluster=c',
        );
        const texts = body.filter(({ kind }) => kind === 'member').map(({ text }) => text);
        expect(texts).to.deep.equal([
          'node 1 counts for placement now',
          'node 1 no longer counts for placement: it is not registered',
        ]);
      });
    });
  });

  describe('groups', () => {
    it('are made for a time, with the marks of their policy, and found by the next who asks', async () => {
      await three();
      const first = await cluster.want(NOW);
      expect(first.status).to.equal(200);
      expect(first.body).to.deep.include({ members: [1, 2, 3], deletes: 0 });
      expect(first.body.groups).to.have.length(1);
      expect(first.body.groups[0]).to.deep.include({
        id: 1,
        database: 'db',
        policy: 'autogen',
        'database-mark': 1,
        'policy-mark': 1,
        start: '2026-03-04T12:00:00Z',
        end: '2026-03-04T13:00:00Z',
      });
      expect(owners(first)?.sort()).to.deep.equal([1, 2, 3]);
      const again = await cluster.want('2026-03-04T12:59:59.999999999Z');
      expect(again.body).to.deep.equal(first.body);
      expect(first.headers['x-clusterflux-version']).to.equal(String(first.body.version));
    });

    it('are the same for many who ask at once, through two managers', async () => {
      await three();
      const other = await startTestManager({ clock, store });
      const second = new PlacedCluster(other);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? cluster : second).want(`2026-03-04T1${index % 3}:10:00Z`),
        ),
      );
      expect(answers.map(({ status }) => status)).to.deep.equal(Array(20).fill(200));
      const groups = await cluster.groups();
      expect(groups.map(({ id }) => id)).to.deep.equal([1, 2, 3]);
      for (const [index, { body }] of answers.entries()) {
        const start = `2026-03-04T1${index % 3}:00:00Z`;
        const group = groups.find(
          ({ startNs }) => startNs === BigInt(Date.parse(start)) * 1_000_000n,
        );
        expect(body.groups.find((each) => each.start === start)?.id).to.equal(group?.id);
      }
      await other.close();
    });

    it('of a database that was written a moment ago are made', async () => {
      await three();
      await cluster.write(
        database('db'),
        policy('db', 'autogen'),
        database('new'),
        policy('new', 'p'),
      );
      const { status, body } = await cluster.want(NOW, 'new', 'p');
      expect(status).to.equal(200);
      expect(body.groups[0]).to.deep.include({ database: 'new', 'database-mark': 2 });
    });

    it('are refused with the reason where there is no such database or policy, or no member', async () => {
      await cluster.register('plain', {});
      await cluster.write(database('db'), policy('db', 'autogen'));
      const reason = async (database_: string, policy_: string) => {
        const { status, body } = await cluster.want(NOW, database_, policy_);
        expect(status).to.equal(409);
        const problem = body as unknown as Record<string, unknown>;
        expect(problem['code']).to.equal('no-group');
        return String(problem['reason']);
      };
      expect(await reason('other', 'autogen')).to.include('no such database');
      expect(await reason('db', 'other')).to.include('no such retention policy');
      expect(await reason('db', 'autogen')).to.include('0 of the 1 nodes');
    });

    it('are not made before placement.initial-nodes have registered, and then also with fewer', async () => {
      const first = await startTestManager({ clock, store, placement: { initialNodes: 2 } });
      const two = new PlacedCluster(first);
      await two.register('a');
      await two.write(database('db'), policy('db', 'autogen'));
      expect(await two.want(NOW)).to.have.property('status', 409);
      await two.register('b');
      expect(await two.want(NOW)).to.have.property('status', 200);
      await two.ask('DELETE', '/nodes/c/2');
      expect(await two.want('2026-03-04T14:00:00Z')).to.have.property('status', 200);
      await first.close();
    });

    it('are there half a group ahead, for all policies with one change', async () => {
      await three();
      await cluster.write(database('db'), policy('db', 'autogen'), policy('db', 'other'));
      await cluster.want(NOW);
      const { body } = await cluster.want(NOW, 'db', 'other');
      await cluster.upkeep();
      expect(await cluster.groups()).to.have.length(2);
      await clock.advance(21 * 60_000);
      for (const [id, uid] of [
        [1, 'a'],
        [2, 'b'],
        [3, 'c'],
      ] as const) {
        await heartbeat(id, uid);
      }
      await cluster.upkeep();
      await cluster.upkeep();
      expect(await cluster.groups()).to.have.length(4);
      const { state } = await cluster.view.placement.load();
      expect(state.version).to.equal(body.version + 1);
    });

    it('go two weeks after their last point has expired', async () => {
      await three();
      await cluster.want(NOW);
      await clock.advance((168 + 14 * 24) * HOUR_MS);
      await cluster.upkeep();
      expect((await cluster.groups()).some(({ id }) => id === 1)).to.equal(true);
      await clock.advance(HOUR_MS);
      await cluster.upkeep();
      expect((await cluster.groups()).some(({ id }) => id === 1)).to.equal(false);
    });

    it('of a dropped database stay while a hint may name them, and are never taken for those of a new one', async () => {
      await three();
      await cluster.want(NOW);
      await cluster.write(database('x'));
      await cluster.write(database('db'), policy('db', 'autogen'));
      const { body } = await cluster.want(NOW);
      expect(body.groups.map((group) => group['database-mark'])).to.deep.equal([1, 3]);
      await cluster.upkeep();
      expect(await cluster.groups()).to.have.length(2);
      await clock.advance(8 * 24 * HOUR_MS);
      await cluster.upkeep();
      expect((await cluster.groups()).map(({ databaseMark }) => databaseMark)).to.not.include(1);
    });
  });

  describe('after the store went back in time', () => {
    it('has another incarnation, and gives no id again that it may have given', async () => {
      await three();
      const { body } = await cluster.want(NOW);
      const known = `"${body.incarnation}.9.${'0'.repeat(64)}"`;
      const headers = { 'x-clusterflux-known': known };
      await cluster.ask('GET', '/clusters/c/versions/9?wait=0s', undefined, {
        ...headers,
        accept: 'application/json',
      });
      await cluster.upkeep();
      const { state } = await cluster.view.placement.load();
      expect(state.incarnation).to.not.equal(body.incarnation);
      const after = await cluster.want('2026-03-04T15:00:00Z');
      expect(after.body.incarnation).to.not.equal(body.incarnation);
      expect(after.body.groups[0]).to.deep.equal(body.groups[0]);
      expect(after.body.groups[1]?.id).to.be.greaterThan(1_000_000);
    });
  });

  describe('the long poll', () => {
    it('answers 204 where nothing is newer, and as soon as something is', async () => {
      await three();
      await cluster.want(NOW);
      const { version } = (await cluster.view.placement.load()).state;
      const get = (seen: number, wait: string) =>
        cluster.ask<PlacementBody>('GET', `/clusters/c/placement/${seen}?wait=${wait}`);
      expect(await get(version, '0s')).to.have.property('status', 204);
      expect((await get(version - 1, '0s')).body.version).to.equal(version);
      const waiting = get(version, '30s');
      await eventually(() => {
        expect(cluster.view.placement.waiting).to.equal(1);
      });
      await cluster.want('2026-03-04T15:00:00Z');
      expect((await waiting).body.version).to.equal(version + 1);
    });

    it('is answered by another manager too', async () => {
      await three();
      const other = await startTestManager({ clock, store });
      const second = new PlacedCluster(other);
      const { version } = (await cluster.view.placement.load()).state;
      const waiting = second.ask<PlacementBody>('GET', `/clusters/c/placement/${version}?wait=30s`);
      await eventually(() => {
        expect(second.view.placement.waiting).to.equal(1);
      });
      await cluster.want(NOW);
      expect((await waiting).body.groups).to.have.length(1);
      await other.close();
    });

    it('waits at version 0 for a cluster that is not there yet', async () => {
      const { status } = await cluster.ask('GET', '/clusters/new/placement/0?wait=0s');
      expect(status).to.equal(204);
      expect(await cluster.ask('GET', '/clusters/new/placement/3?wait=0s')).to.deep.include({
        status: 404,
      });
    });
  });

  describe('cuts', () => {
    it('count once every member has confirmed them, and the next group begins there', async () => {
      await three();
      await cluster.want(NOW);
      const { body } = await cluster.post('truncate', {});
      expect(body.groups[0]?.cut).to.deep.equal({
        at: '2026-03-04T12:12:00Z',
        confirmed: [],
        counts: false,
      });
      const { version } = body;
      for (const node of [1, 2]) await cluster.post('confirm', { node, version });
      expect((await cluster.groups())[0]?.cut?.counts).to.equal(false);
      await cluster.post('confirm', { node: 3, version: version - 1 });
      expect((await cluster.groups())[0]?.cut?.confirmed).to.deep.equal([1, 2]);
      await cluster.post('confirm', { node: 3, version });
      expect((await cluster.groups())[0]?.cut?.counts).to.equal(true);
      const after = await cluster.want('2026-03-04T12:30:00Z');
      expect(after.body.groups[1]).to.deep.include({
        start: '2026-03-04T12:12:00Z',
        end: '2026-03-04T13:00:00Z',
      });
      expect((await cluster.want(NOW)).body.groups).to.have.length(2);
    });

    it('whose time came unconfirmed never count, and are announced anew', async () => {
      await three();
      await cluster.want(NOW);
      const { version } = (await cluster.post('truncate', {})).body;
      for (const node of [1, 2]) await cluster.post('confirm', { node, version });
      await clock.advance(121_000);
      await cluster.post('confirm', { node: 3, version });
      expect((await cluster.groups())[0]?.cut?.counts).to.equal(false);
      await cluster.upkeep();
      const cut = (await cluster.groups())[0]?.cut;
      expect(cut).to.deep.include({ confirmed: [], counts: false });
      expect(Number((cut?.atNs ?? 0n) / 1_000_000n)).to.equal(clock.nowMs() + 600_000);
    });

    it('are made of the named policy alone, and never too early', async () => {
      await three();
      await cluster.write(database('db'), policy('db', 'autogen'), policy('db', 'other'));
      await cluster.want(NOW);
      await cluster.want(NOW, 'db', 'other');
      const { body } = await cluster.post('truncate', { database: 'db', policy: 'other' });
      expect(body.groups.map(({ cut }) => cut !== undefined)).to.deep.equal([false, true]);
      expect(await cluster.post('truncate', { at: NOW })).to.have.property('status', 400);
    });

    it('come by themselves where a group has fewer owners than there could be', async () => {
      await cluster.register('a');
      await cluster.write(database('db'), policy('db', 'autogen'));
      await cluster.want(NOW);
      await cluster.upkeep();
      expect((await cluster.groups())[0]?.cut).to.equal(undefined);
      await cluster.register('b');
      await cluster.upkeep();
      const { state } = await cluster.view.placement.load();
      expect((await cluster.groups())[0]?.cut).to.deep.include({ counts: false });
      for (const node of [1, 2]) await cluster.post('confirm', { node, version: state.version });
      const after = await cluster.want('2026-03-04T12:30:00Z');
      expect(owners(after, 1)?.sort()).to.deep.equal([1, 2]);
      await cluster.upkeep();
      expect((await cluster.groups())[1]?.cut).to.equal(undefined);
    });

    it('count when the member that had not confirmed is deregistered', async () => {
      await three();
      await cluster.want(NOW);
      const { version } = (await cluster.post('truncate', {})).body;
      for (const node of [1, 2]) await cluster.post('confirm', { node, version });
      await cluster.ask('DELETE', '/nodes/c/3');
      expect((await cluster.groups())[0]?.cut?.counts).to.equal(true);
    });
  });

  describe('completeness', () => {
    beforeEach(async () => {
      await three();
      await cluster.want(NOW);
      await cluster.want('2026-03-04T15:00:00Z');
    });
    const lacking = async (node: number) =>
      (await cluster.groups())
        .filter(({ shards }) =>
          shards.some(({ owners: all }) =>
            all.some((owner) => owner.node === node && owner.incomplete !== undefined),
          ),
        )
        .map(({ id }) => id);

    it('is lost for the named groups or all, and the first reason stays', async () => {
      const mark = (groups: number[] | 'all', why: string) =>
        cluster.post('completeness', { node: 2, groups, complete: false, why });
      await mark([1], 'a hint was not kept');
      expect(await lacking(2)).to.deep.equal([1]);
      await mark('all', 'another reason');
      expect(await lacking(2)).to.deep.equal([1, 2]);
      const { body } = await mark([1], 'a third');
      const owner = body.groups[0]?.shards[0]?.owners.find(({ node }) => node === 2);
      expect(owner?.incomplete).to.deep.equal({
        since: '2026-03-04T12:10:00.000Z',
        why: 'a hint was not kept',
      });
      expect(await lacking(1)).to.deep.equal([]);
    });

    it('is not what an unsure order takes away, which is noted once', async () => {
      const mark = () =>
        cluster.post('completeness', {
          node: 2,
          groups: [1],
          complete: false,
          'order-unsure': true,
        });
      const { body: first } = await mark();
      const { body: again } = await mark();
      expect(again.version).to.equal(first.version);
      const owners = again.groups.flatMap(({ shards }) => shards.flatMap((shard) => shard.owners));
      const unsure = owners.filter((owner) => owner['order-unsure-since'] !== undefined);
      expect(unsure).to.deep.equal([{ node: 2, 'order-unsure-since': '2026-03-04T12:10:00.000Z' }]);
    });

    it('comes back by an operator alone', async () => {
      await cluster.post('completeness', { node: 2, groups: 'all', complete: false, why: 'x' });
      await cluster.post('completeness', { node: 2, groups: [2], complete: true });
      expect(await lacking(2)).to.deep.equal([1]);
    });

    it('asks for a reason', async () => {
      const { status } = await cluster.post('completeness', {
        node: 2,
        groups: 'all',
        complete: false,
      });
      expect(status).to.equal(400);
    });
  });

  describe('adoption', () => {
    it('adds groups that are only read, once, also where the cluster has one for that time', async () => {
      await three();
      await cluster.want(NOW);
      const brought = {
        node: 2,
        groups: [
          {
            database: 'db',
            policy: 'autogen',
            start: '2026-03-02T00:00:00Z',
            end: '2026-03-09T00:00:00Z',
          },
        ],
      };
      const first = await cluster.post('adopt', brought);
      expect(first.body.groups[1]).to.deep.include({ adopted: true, id: 2 });
      expect(owners(first, 1)).to.deep.equal([2]);
      const again = await cluster.post('adopt', brought);
      expect(again.body).to.deep.equal(first.body);
      // A new group is not in its way, and the other way round.
      expect((await cluster.want('2026-03-04T15:00:00Z')).body.groups).to.have.length(3);
    });
  });

  describe('numbered deletes', () => {
    const number = (statement: string, key?: string) =>
      cluster.ask<{ number: number }>(
        'POST',
        '/clusters/c/deletes',
        { database: 'db', statement },
        key === undefined ? {} : { 'idempotency-key': key },
      );

    it('get the next number each, one per idempotency key, and move the placement', async () => {
      await three();
      const { version } = (await cluster.view.placement.load()).state;
      expect((await number('DROP MEASUREMENT a', 'k1')).body.number).to.equal(1);
      expect((await number('DROP MEASUREMENT a', 'k1')).body.number).to.equal(1);
      const { status, body } = await number('DELETE FROM b');
      expect([status, body.number]).to.deep.equal([201, 2]);
      const { state } = await cluster.view.placement.load();
      expect([state.deletes, state.version]).to.deep.equal([2, version + 2]);
      const list = await cluster.ask('GET', '/clusters/c/deletes?since=1');
      expect(list.body).to.deep.equal([
        {
          number: 2,
          database: 'db',
          'database-mark': 1,
          statement: 'DELETE FROM b',
          at: '2026-03-04T12:10:00.000Z',
        },
      ]);
    });

    it('are numbered without a gap when many come at once', async () => {
      await three();
      const numbers = await Promise.all(
        Array.from(
          { length: 20 },
          async (_, index) => (await number(`DELETE ${index}`)).body.number,
        ),
      );
      expect(numbers.sort((a, b) => a - b)).to.deep.equal(
        Array.from({ length: 20 }, (_, i) => i + 1),
      );
    });

    it('of a database that is not there are refused', async () => {
      await three();
      const { status, body } = await cluster.ask('POST', '/clusters/c/deletes', {
        database: 'other',
        statement: 'DELETE FROM b',
      });
      expect([status, body['code']]).to.deep.equal([404, 'database-not-found']);
    });

    it('are kept for 90 days', async () => {
      await three();
      await number('DELETE FROM old', 'k');
      await clock.advance(90 * 24 * HOUR_MS + 1);
      await number('DELETE FROM young');
      await manager.services.placements.upkeep.sweep(cluster.view, AbortSignal.timeout(5_000));
      const { body } = await cluster.ask<{ number: number }[]>('GET', '/clusters/c/deletes');
      expect(body.map((each) => each.number)).to.deep.equal([2]);
      expect((await store.range(cluster.view.keys.placement.deleteKeys)).entries).to.have.length(1);
    });
  });

  describe('a flag that a node is behind', () => {
    it('is listed with the owner, moves the registry once, and goes', async () => {
      await three();
      const revision = async () => (await heartbeat(1, 'a')).body['registry-revision'];
      const behind = async () => (await cluster.ask('GET', '/nodes/c/3')).body['behind'];
      const before = await revision();
      expect(await cluster.ask('PUT', '/nodes/c/3/behind/1')).to.have.property('status', 204);
      expect(await cluster.ask('PUT', '/nodes/c/3/behind/2')).to.have.property('status', 204);
      const flagged = await revision();
      expect(flagged).to.not.equal(before);
      await cluster.ask('PUT', '/nodes/c/3/behind/1');
      expect(await revision()).to.equal(flagged);
      expect(await behind()).to.deep.equal([1, 2]);
      const { body } = await cluster.ask<{ id: number; behind?: number[] }[]>('GET', '/nodes/c');
      expect(body.map((node) => node.behind)).to.deep.equal([undefined, undefined, [1, 2]]);
      for (const holder of [1, 1, 2]) {
        const answer = await cluster.ask('DELETE', `/nodes/c/3/behind/${holder}`);
        expect(answer.status).to.equal(204);
      }
      expect(await behind()).to.equal(undefined);
    });

    it('is refused for nodes that are not there', async () => {
      await three();
      expect(await cluster.ask('PUT', '/nodes/c/9/behind/1')).to.have.property('status', 404);
      expect(await cluster.ask('PUT', '/nodes/c/1/behind/9')).to.have.property('status', 404);
    });
  });

  describe('deregistering', () => {
    it('is refused while the node is the only complete owner, and names the groups', async () => {
      await three();
      await cluster.want(NOW);
      for (const node of [2, 3]) {
        await cluster.post('completeness', { node, groups: 'all', complete: false, why: 'x' });
      }
      const { status, body } = await cluster.ask('DELETE', '/nodes/c/1');
      expect([status, body['code']]).to.deep.equal([409, 'node-needed']);
      expect(body['groups']).to.deep.equal([
        {
          id: 1,
          database: 'db',
          policy: 'autogen',
          start: '2026-03-04T12:00:00Z',
          end: '2026-03-04T13:00:00Z',
        },
      ]);
      expect(await cluster.ask('DELETE', '/nodes/c/2')).to.have.property('status', 204);
    });

    it('is refused while the node holds hints for others, by its status or a flag', async () => {
      await three();
      await heartbeat(1, 'a', { version: 1, hints: [{ owner: 3, bytes: 10 }] });
      const byStatus = await cluster.ask('DELETE', '/nodes/c/1');
      expect([byStatus.status, byStatus.body['hints-for']]).to.deep.equal([409, [3]]);
      await cluster.ask('PUT', '/nodes/c/3/behind/2');
      const byFlag = await cluster.ask('DELETE', '/nodes/c/2');
      expect([byFlag.status, byFlag.body['hints-for']]).to.deep.equal([409, [3]]);
    });

    it('by force is done, and what is lost is told', async () => {
      await cluster.register('a');
      await cluster.write(database('db'), policy('db', 'autogen'));
      await cluster.want(NOW);
      expect(await cluster.ask('DELETE', '/nodes/c/1')).to.have.property('status', 409);
      const { status } = await cluster.ask('DELETE', '/nodes/c/1?force=true');
      expect(status).to.equal(204);
      await eventually(async () => {
        await clock.advance(100);
        const { body } = await cluster.ask<{ kind: string; after: { groups: number[] } }[]>(
          'GET',
          '/events?cluster=c',
        );
        expect(body.find(({ kind }) => kind === 'data-given-up')?.after.groups).to.deep.equal([1]);
      });
    });

    it('takes the node off the owners of what is not written any more', async () => {
      await three();
      await cluster.want('2026-03-04T10:00:00Z');
      await cluster.want(NOW);
      await cluster.ask('DELETE', '/nodes/c/3');
      await cluster.upkeep();
      const [old, current] = await cluster.groups();
      expect(old?.shards[0]?.owners.map(({ node }) => node).sort()).to.deep.equal([1, 2]);
      expect(current?.shards[0]?.owners).to.have.length(3);
      expect(current?.cut).to.deep.include({ counts: false });
    });
  });

  describe('writing the whole placement', () => {
    it('replaces the groups by compare-and-swap, and refuses what cannot be', async () => {
      await three();
      const { body } = await cluster.want(NOW);
      const put = (version: number, next: object) =>
        cluster.ask('PUT', `/clusters/c/placement/${version}`, next);
      const [group] = body.groups;
      const twice = { ...body, groups: [group, { ...group, id: 2 }] };
      expect((await put(body.version, twice)).body['code']).to.equal('placement-invalid');
      const moved = { ...body, groups: [{ ...group, id: 7, end: '2026-03-04T12:30:00Z' }] };
      expect(await put(body.version, moved)).to.have.property('status', 200);
      expect(await put(body.version, moved)).to.have.property('status', 409);
      const after = await cluster.want('2026-03-04T12:40:00Z');
      expect(after.body.groups.map(({ id }) => id)).to.deep.equal([7, 8]);
    });
  });
});
