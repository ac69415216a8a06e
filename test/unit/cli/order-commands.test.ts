// events, pause, resume, meta approve and the dry runs, against a stand-in for a manager.
import { expect } from 'chai';
import { FakeManager, problem, run } from './support.js';

const node = {
  id: 2,
  cluster: 'default',
  hostname: 'host-2',
  ip: '10.0.0.2',
  'bind-address': '10.0.0.2:8888',
  alive: true,
  'last-seen': '2026-01-01T00:00:00Z',
  version: 3,
  state: 'in-step',
  labels: {},
  versions: {},
  pending: 0,
  hints: [],
  paused: null,
  held: null,
};
const pause = { scope: 'node', by: 'ops', at: '2026-01-01T00:00:00Z', reason: 'disk' };
const item = (kind: 'join' | 'guard', name: string) => ({
  id: name,
  object: `database ${name}`,
  why: `database ${name}: gone in the cluster`,
  command: 'x',
  kind,
});
const held = (...items: ReturnType<typeof item>[]) => ({
  digest: 'd1',
  count: items.length,
  items,
});
const event = (id: number, kind: string, more: object = {}) => ({
  id,
  at: '2026-01-01T00:00:00.000Z',
  cluster: 'default',
  node: 2,
  kind,
  text: `what ${id}`,
  before: null,
  after: null,
  ...more,
});

describe('the commands of orders and events', () => {
  let fake: FakeManager;
  beforeEach(async () => {
    fake = new FakeManager();
    await fake.start();
  });
  afterEach(() => fake.stop());
  const ask = (...args: string[]) => run([...args, '--manager', fake.url]);
  const json = (path: string, body: unknown) => fake.routes.set(path, { json: body });

  describe('events', () => {
    it('are listed with both values, of the kinds and from the id that were asked for', async () => {
      const conflict = event(2, 'conflict', { before: '72h', after: '168h' });
      json('GET /events?cluster=default', [event(1, 'join'), conflict]);
      json('GET /events?cluster=default&since=1', [conflict]);
      const table = await ask('events');
      expect(table.exitCode).to.equal(0);
      expect(table.stdout).to.match(/^ID +AT +NODE +KIND +WHAT$/m);
      expect(table.stdout).to.match(/^ 2 .* conflict +what 2 \("72h" → "168h"\)$/m);
      expect((await ask('events', '--kind', 'join')).stdout).to.not.include('conflict');
      const since = await ask('events', '--since', '1', '-o', 'json');
      expect(JSON.parse(since.stdout)).to.deep.equal([conflict]);
    });

    it('are those of the last hour where a duration is given', async () => {
      const now = event(2, 'join', { at: new Date().toISOString() });
      json('GET /events?cluster=default', [event(1, 'join'), now]);
      const { stdout } = await ask('events', '--since', '1h', '-o', 'json');
      expect(JSON.parse(stdout)).to.deep.equal([now]);
    });

    it('that are followed go on after the list, across a cut, one line each', async () => {
      json('GET /events?cluster=default', [event(1, 'join')]);
      const stream = (...events: object[]) => ({
        type: 'text/event-stream',
        bytes: Buffer.from(
          'retry: 1000\n\n:\n\n' +
            events.map((each) => `id: 1\ndata: ${JSON.stringify(each)}\n\n`).join(''),
        ),
      });
      fake.routes.set(
        'GET /events?cluster=default&since=1',
        stream(event(2, 'join'), event(2, 'join'), event(3, 'hold')),
      );
      // The stream ends; the next one is refused, which ends the command.
      fake.routes.set('GET /events?cluster=default&since=3', problem(401, 'unauthorized', 'no'));
      const { exitCode, stdout, stderr } = await ask('events', '-f', '-o', 'json');
      expect([exitCode, stderr]).to.deep.equal([7, 'clusterflux: no\n']);
      const ids = stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: number }).id);
      expect(ids).to.deep.equal([1, 2, 3]);
    });

    it('are asked for in the right way, or refused with what is right', async () => {
      json('GET /events?cluster=default', []);
      for (const args of [
        ['--since', 'soon'],
        ['--kind', 'nothing'],
      ]) {
        const { exitCode, stderr } = await ask('events', ...args);
        expect(exitCode).to.equal(2);
        expect(stderr).to.include(args[1]);
      }
    });
  });

  describe('pause and resume', () => {
    it('order it for a node by number or hostname, with the reason', async () => {
      json('GET /nodes/default', [node]);
      json('POST /nodes/default/2/pause', { node: 2, paused: pause });
      for (const name of ['2', 'host-2']) {
        const { exitCode, stdout } = await ask('pause', name, '--reason', 'disk');
        expect(exitCode).to.equal(0);
        expect(stdout).to.match(
          /^node 2 of cluster default is paused: the node, by ops, \d+d ago: disk$/m,
        );
      }
      expect(fake.sent).to.deep.equal([{ reason: 'disk' }, { reason: 'disk' }]);
    });

    it('say which hostname is of no node, or of several', async () => {
      json('GET /nodes/default', [node, { ...node, id: 3 }]);
      expect((await ask('pause', 'nobody')).exitCode).to.equal(6);
      const several = await ask('pause', 'host-2');
      expect([several.exitCode, several.stderr]).to.deep.include(2);
      expect(several.stderr).to.include('2, 3');
    });

    it('order it for the cluster, and name the nodes that stay paused', async () => {
      const answer = { cluster: 'default', paused: null, 'nodes-paused': [2] };
      json('POST /clusters/default/resume', answer);
      const { stdout, stderr } = await ask('resume');
      expect(stdout).to.equal('cluster default is not paused\n');
      expect(stderr).to.include('nodes 2');
      json('POST /clusters/default/pause?dry-run=true', { ...answer, paused: pause });
      expect((await ask('pause', '--dry-run')).stdout).to.include('would be paused');
    });

    it('wait until the nodes that are alive obey, or say which do not, with 8', async () => {
      json('POST /nodes/default/2/pause', { node: 2, paused: pause });
      json('GET /nodes/default', [{ ...node, paused: pause, state: 'paused' }]);
      expect((await ask('pause', '2', '--wait', '1s')).exitCode).to.equal(0);
      json('GET /nodes/default', [{ ...node, paused: pause, alive: false }]);
      expect((await ask('pause', '2', '--wait', '1s')).exitCode).to.equal(0);
      json('GET /nodes/default', [{ ...node, paused: pause }]);
      const { exitCode, stderr } = await ask('pause', '2', '--wait', '1ms');
      expect(exitCode).to.equal(8);
      expect(stderr).to.include('2 (host-2, in-step)');
    });
  });

  describe('meta approve', () => {
    const approved = (decision: string, list: object) =>
      json('POST /nodes/default/2/approve', { node: 2, decision, held: list });
    const holding = (list: object) => json('GET /nodes/default/2', { ...node, held: list });

    it('lets through what the guard alone holds, with --yes', async () => {
      const list = held(item('guard', 'a'), item('guard', 'b'));
      holding(list);
      approved('drop', list);
      const without = await ask('meta', 'approve', '2');
      expect(without.exitCode).to.equal(2);
      expect(without.stderr).to.include('guard: database a: gone').and.to.include('--yes');
      expect(fake.sent).to.deep.equal([]);
      const done = await ask('meta', 'approve', '2', '--yes');
      expect(done.exitCode).to.equal(0);
      expect(done.stdout).to.include('guard: database b: gone in the cluster\n');
      expect(fake.sent).to.deep.equal([{ digest: 'd1', decision: 'drop' }]);
    });

    it('wants to be told what becomes of what a join holds, or of items that it cannot see', async () => {
      const lists = [
        held(item('guard', 'a'), item('join', 'b')),
        { ...held(item('guard', 'a')), count: 101 },
      ];
      for (const list of lists) {
        holding(list);
        const asked = await ask('meta', 'approve', '2', '--yes');
        expect(asked.exitCode).to.equal(2);
        expect(asked.stderr).to.include('--keep').and.to.include('--drop');
        expect(fake.sent).to.deep.equal([]);
      }
      approved('keep', lists[0] ?? {});
      expect((await ask('meta', 'approve', '2', '--keep')).exitCode).to.equal(0);
      expect(fake.sent).to.deep.equal([{ digest: 'd1', decision: 'keep' }]);
      expect((await ask('meta', 'approve', '2', '--keep', '--drop')).exitCode).to.equal(2);
    });

    it('as a dry run shows the list, and decides nothing', async () => {
      const list = held(item('guard', 'a'));
      holding(list);
      const dry = await ask('meta', 'approve', '2', '--dry-run');
      expect([dry.exitCode, dry.stdout]).to.deep.equal([
        0,
        'guard: database a: gone in the cluster\n',
      ]);
      expect(dry.stderr).to.include('d1');
      const asJson = await ask('meta', 'approve', '2', '--dry-run', '-o', 'json');
      expect(JSON.parse(asJson.stdout)).to.deep.equal({
        node: 2,
        decision: 'drop',
        held: list,
        'dry-run': true,
      });
      expect(fake.asked.some((question) => question.startsWith('POST'))).to.equal(false);
    });

    it('decides no other list than the one that was looked at, with 5', async () => {
      holding(held(item('guard', 'a')));
      const named = await ask('meta', 'approve', '2', '--yes', '--digest', 'd0');
      expect(named.exitCode).to.equal(5);
      fake.routes.set('POST /nodes/default/2/approve', problem(409, 'held-changed', 'another'));
      expect((await ask('meta', 'approve', '2', '--yes')).exitCode).to.equal(5);
    });

    it('says where nothing is held', async () => {
      json('GET /nodes/default/2', node);
      const { exitCode, stdout } = await ask('meta', 'approve', '2');
      expect([exitCode, stdout]).to.deep.equal([0, 'node 2 of cluster default holds nothing\n']);
    });
  });

  it('dry runs of forget and delete show what would go, and change nothing', async () => {
    json('DELETE /nodes/default/2?force=false&dry-run=true', { 'dry-run': true, node });
    const forget = await ask('nodes', 'forget', '2', '--dry-run');
    expect([forget.exitCode, forget.stderr]).to.deep.equal([
      0,
      'node 2 of cluster default would be deregistered; nothing was changed\n',
    ]);
    expect(forget.stdout).to.include('host-2');
    const cluster = {
      name: 'default',
      version: 3,
      incarnation: 'i',
      'updated-at': null,
      nodes: { alive: 0, all: 1 },
    };
    json('GET /clusters/default', cluster);
    json('DELETE /clusters/default?expect=3&dry-run=true', { 'dry-run': true, cluster });
    const remove = await ask('clusters', 'delete', 'default', '--dry-run', '-o', 'json');
    expect(JSON.parse(remove.stdout)).to.deep.equal({ 'dry-run': true, cluster });
  });

  it('status says what waits for a person, with the command', async () => {
    const nodes = [
      { ...node, held: { digest: 'd', count: 3 }, paused: { ...pause, scope: 'cluster' } },
      { ...node, id: 3, paused: { ...pause, scope: 'cluster' } },
      { ...node, id: 4, cluster: "o'b", paused: pause },
    ];
    json('GET /nodes', { cflux: [], influx: nodes });
    json('GET /clusters', []);
    const { stdout } = await ask('status');
    expect(stdout.split('\n\n')[0]?.split('\n').slice(1)).to.deep.equal([
      'node 2 of default holds 3 objects for a person: clusterflux meta approve 2 --cluster default',
      'cluster default is paused: clusterflux resume --cluster default',
      String.raw`node 4 of o'b is paused: clusterflux resume 4 --cluster 'o'\''b'`,
    ]);
    expect(stdout).to.match(/PENDING +HELD +PAUSED$/m);
  });
});
