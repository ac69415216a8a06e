// Rollback and the manager's guard over HTTP: what comes back, what is held, what passes with whose approval.
import { expect } from 'chai';
import { startTestManager, type TestManager } from '../../../support/manager.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import { fakeClock, type FakeClock } from '../../../../shared/lifecycle/clock.js';
import { database, policy, snapshotOf, snapshotWith, user } from '../../../support/snapshots.js';

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const MORE = ['s', 't', 'u', 'v', 'w', 'x', 'y', 'z'];
const HOUR_MS = 3_600_000;

function clientOf({ app }: TestManager) {
  const send = async (
    method: 'PUT' | 'POST' | 'GET',
    path: string,
    payload?: Buffer | object,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const answer = await app.inject({
      method,
      url: `/clusters/c${path}`,
      headers,
      ...(payload === undefined ? {} : { payload }),
    });
    return { status: answer.statusCode, body: parsed(answer.payload) };
  };
  return {
    write: (version: number, body: Buffer, headers?: Record<string, string>) =>
      send('PUT', `/versions/${version}`, body, headers),
    rollback: (body: object, headers?: Record<string, string>) =>
      send('POST', '/rollback', body, headers),
    get: (path: string) => send('GET', path),
  };
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // A snapshot: these tests look at statuses there.
    return {};
  }
}

const texts = ({ body }: Answer) => (body['changes'] as { text: string }[]).map(({ text }) => text);

describe('manager rollback API', () => {
  let manager: TestManager;
  let client: ReturnType<typeof clientOf>;
  beforeEach(async () => {
    manager = await startTestManager();
    client = clientOf(manager);
    await client.write(0, snapshotOf(database('t'), policy('t', 'week', 168), user('alice')));
    await client.write(1, snapshotOf(database('t'), policy('t', 'week', 72), database('new')));
  });
  afterEach(() => manager.close());

  it('makes a new version with the old content, and says what changed', async () => {
    const answer = await client.rollback({ to: 1, expect: 2 });
    expect(answer.status).to.equal(200);
    expect(answer.body).to.include({ version: 3, 'dry-run': false, 'needs-approval': false });
    expect(texts(answer)).to.deep.equal([
      'database new: dropped',
      'retention policy t.week: duration 72h → 168h',
      'user alice: created',
    ]);
    expect(answer.body['drops']).to.deep.equal([{ object: 'database new', change: 'drop' }]);
    const newest = await manager.app.inject({ url: '/clusters/c/versions/0?wait=0s' });
    const first = await manager.app.inject({ url: '/clusters/c/history/1' });
    expect(newest.rawPayload.equals(first.rawPayload)).to.equal(true);
  });

  it('stands in the history as what it is, without a hash', async () => {
    await client.rollback({ to: 1, expect: 2 });
    const answer = await manager.app.inject({ url: '/clusters/c/history' });
    const [newest] = JSON.parse(answer.payload) as { version: number; changes: string[] }[];
    expect(newest).to.include({ version: 3 });
    expect(newest?.changes[0]).to.equal('rolled back to version 1');
    expect(answer.payload).not.to.contain('$2a$');
  });

  it('gives what comes back a new mark, and what goes a tombstone', async () => {
    await client.rollback({ to: 1, expect: 2 });
    const { body } = await client.get('/marks/3');
    const marks = JSON.stringify(body['marks']);
    expect(marks).to.contain('alice');
    const all = body['marks'] as { kind: string; path: string[]; mark: number }[];
    const markOf = (name: string) => all.find(({ path }) => path.join('.') === name)?.mark;
    expect([markOf('t'), markOf('alice')]).to.deep.equal([1, 3]);
    expect(JSON.stringify(body['tombstones'])).to.contain('"new"');
  });

  it('only says what it would do with dry-run', async () => {
    const answer = await client.rollback({ to: 1, expect: 2, 'dry-run': true });
    expect(answer.body).to.include({ version: 2, 'dry-run': true });
    expect(texts(answer)).to.have.length(3);
    expect((await client.get('')).body).to.include({ version: 2 });
  });

  it('writes nothing where it goes to the newest version', async () => {
    const answer = await client.rollback({ to: 2, expect: 2 });
    expect(answer.body).to.include({ version: 2 });
    expect(answer.body['changes']).to.deep.equal([]);
  });

  it('gives the same answer to the same idempotency key', async () => {
    const headers = { 'idempotency-key': 'once' };
    const first = await client.rollback({ to: 1, expect: 2 }, headers);
    const again = await client.rollback({ to: 1, expect: 2 }, headers);
    expect(again).to.deep.equal(first);
    expect((await client.get('')).body).to.include({ version: 3 });
  });

  const refusals: [string, object, number, string][] = [
    ['a stale expect', { to: 1, expect: 1 }, 409, 'version-conflict'],
    ['a version that is not kept', { to: 9, expect: 2 }, 404, 'version-not-found'],
    ['no expect', { to: 1 }, 400, 'body-invalid'],
    ['version 0', { to: 0, expect: 2 }, 400, 'body-invalid'],
  ];
  for (const [what, body, status, code] of refusals) {
    it(`refuses ${what} with ${status}, and changes nothing`, async () => {
      const answer = await client.rollback(body);
      expect([answer.status, answer.body['code']]).to.deep.equal([status, code]);
      expect((await client.get('')).body).to.include({ version: 2 });
    });
  }

  it('names the newest version to a stale expect', async () => {
    expect((await client.rollback({ to: 1, expect: 1 })).body).to.include({ version: 2 });
  });

  it('answers 404 for a cluster that is not there', async () => {
    const answer = await manager.app.inject({
      method: 'POST',
      url: '/clusters/nobody/rollback',
      payload: { to: 1, expect: 2 },
    });
    expect([answer.statusCode, parsed(answer.payload)['code']]).to.deep.equal([
      404,
      'cluster-not-found',
    ]);
  });

  it('lets one of two rollbacks of the same moment win', async () => {
    const answers = await Promise.all([
      client.rollback({ to: 1, expect: 2 }),
      client.rollback({ to: 1, expect: 2 }),
    ]);
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 409]);
  });
});

describe("the manager's guard", () => {
  let clock: FakeClock;
  let store: MemoryStore;
  let managers: TestManager[];
  const start = async (maxDrops = 5) => {
    const manager = await startTestManager({ store, clock, maxDrops });
    managers.push(manager);
    return clientOf(manager);
  };
  beforeEach(() => {
    clock = fakeClock();
    store = new MemoryStore({ clock });
    managers = [];
  });
  afterEach(async () => {
    for (const manager of managers) await manager.close();
    await store.close();
  });

  it('holds a write that drops half of the databases, and lists exactly these', async () => {
    const client = await start();
    await client.write(0, snapshotWith('a', 'b', 'c', 'd'));
    const held = await client.write(1, snapshotWith('c', 'd'));
    expect(held.status).to.equal(422);
    expect(held.body).to.include({ code: 'too-many-drops', count: 2 });
    expect(held.body['held']).to.deep.equal([
      { object: 'database a', change: 'drop' },
      { object: 'database b', change: 'drop' },
    ]);
    expect(held.body['detail']).to.contain(String(held.body['digest']));
    expect((await client.get('')).body).to.include({ version: 1 });
  });

  it('lets exactly the approved list through, and no other', async () => {
    const client = await start();
    await client.write(0, snapshotWith('a', 'b', 'c', 'd'));
    const { body } = await client.write(1, snapshotWith('c', 'd'));
    const approve = { 'x-clusterflux-approve': String(body['digest']) };
    const other = await client.write(1, snapshotWith('a', 'd'), approve);
    expect(other.status).to.equal(422);
    expect(other.body['digest']).not.to.equal(body['digest']);
    expect((await client.write(1, snapshotWith('c', 'd'), approve)).status).to.equal(200);
  });

  it('does not stand in the way of nodes: they have proof, and a guard of their own', async () => {
    const client = await start(0);
    await client.write(0, snapshotWith(...NAMES));
    const answer = await client.write(1, snapshotWith(), { 'x-clusterflux-node': '1' });
    expect(answer.status).to.equal(200);
  });

  it('counts shortened durations as it counts drops', async () => {
    const client = await start();
    await client.write(0, snapshotOf(database('t'), policy('t', 'p', 48), policy('t', 'q', 48)));
    const shorter = snapshotOf(database('t'), policy('t', 'p', 24), policy('t', 'q', 24));
    const held = await client.write(1, shorter);
    expect(held.body['held']).to.deep.equal([
      { object: 'retention policy t.p', change: 'shorten' },
      { object: 'retention policy t.q', change: 'shorten' },
    ]);
  });

  it('counts over all managers, for an hour', async () => {
    const [one, two] = [await start(), await start()];
    const without = (count: number) => snapshotWith(...NAMES.slice(count), ...MORE);
    await one.write(0, without(0));
    for (let version = 1; version <= 5; version++) {
      const answer = await (version % 2 === 0 ? one : two).write(version, without(version));
      expect(answer.status, `drop ${version}`).to.equal(200);
    }
    expect((await one.write(6, without(6))).status).to.equal(422);
    expect((await two.write(6, without(6))).status).to.equal(422);
    await clock.advance(HOUR_MS);
    expect((await two.write(6, without(6))).status).to.equal(200);
  });

  it('does not count what a person approved', async () => {
    const client = await start(1);
    await client.write(0, snapshotWith(...NAMES));
    const { body } = await client.write(1, snapshotWith(...NAMES.slice(2)));
    const approve = { 'x-clusterflux-approve': String(body['digest']) };
    await client.write(1, snapshotWith(...NAMES.slice(2)), approve);
    expect((await client.write(2, snapshotWith(...NAMES.slice(3)))).status).to.equal(200);
    expect((await client.write(3, snapshotWith(...NAMES.slice(4)))).status).to.equal(422);
  });

  it('lets one of two drops of the same moment through where only one may pass', async () => {
    const [one, two] = [await start(1), await start(1)];
    await one.write(0, snapshotWith(...NAMES));
    const answers = await Promise.all([
      one.write(1, snapshotWith(...NAMES.slice(1))),
      two.write(1, snapshotWith(...NAMES.slice(0, -1))),
    ]);
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 409]);
    expect((await two.write(2, snapshotWith('c', 'd', 'e', 'f', 'g'))).status).to.equal(422);
  });

  it('holds a rollback too, until its digest is given', async () => {
    const client = await start();
    await client.write(0, snapshotWith('a'));
    await client.write(1, snapshotWith('a', 'b', 'c'));
    const look = await client.rollback({ to: 1, expect: 2, 'dry-run': true });
    expect(look.body).to.include({ 'needs-approval': true, version: 2 });
    const held = await client.rollback({ to: 1, expect: 2 });
    expect([held.status, held.body['digest']]).to.deep.equal([422, look.body['digest']]);
    const wrong = await client.rollback({ to: 1, expect: 2, approve: 'ffff' });
    expect(wrong.status).to.equal(422);
    const done = await client.rollback({ to: 1, expect: 2, approve: held.body['digest'] });
    expect(done.body).to.include({ version: 3, 'needs-approval': false });
  });
});
