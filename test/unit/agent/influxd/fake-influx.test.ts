import { expect } from 'chai';
import { FakeInflux } from '../../../../agent/influxd/fake-influx.js';
import { encodeSnapshot } from '../../../../shared/meta/codec.js';
import { readSchema } from '../../../../shared/meta/snapshot.js';

// How it behaves as an influxd is tested beside a real one, in test/contract/influx-control.test.ts.
describe('the fake influxd in trouble', () => {
  const CREATE = 'CREATE DATABASE "d"';

  async function codeOf(promise: Promise<unknown>): Promise<unknown> {
    return promise.then(
      () => undefined,
      (error: unknown) => (error as { code?: unknown }).code,
    );
  }

  it('refuses the next statement that matches, once', async () => {
    const influx = new FakeInflux();
    influx.refuseNext('no', /DATABASE "d"/);
    expect(await influx.execute('CREATE DATABASE "e"')).to.deep.equal({ kind: 'done' });
    expect(await influx.execute(CREATE)).to.deep.equal({ kind: 'refused', text: 'no' });
    expect(await influx.execute(CREATE)).to.deep.equal({ kind: 'done' });
    expect(influx.statements).to.deep.equal(['CREATE DATABASE "e"', CREATE, CREATE]);
  });

  it('loses a request, which is not run, or a reply, which is', async () => {
    const influx = new FakeInflux();
    influx.loseNextRequest();
    expect(await codeOf(influx.execute(CREATE))).to.equal('influxd-unreachable');
    expect(readSchema(influx.data).size).to.equal(0);
    influx.loseNextReply();
    expect(await codeOf(influx.execute(CREATE))).to.equal('influxd-unreachable');
    expect(readSchema(influx.data).size).to.equal(2);
  });

  it('hangs while frozen, until the caller gives up or it thaws', async () => {
    const influx = new FakeInflux();
    influx.freeze();
    const controller = new AbortController();
    const reading = codeOf(influx.readMemory(controller.signal));
    const running = influx.execute(CREATE);
    controller.abort();
    expect(await reading).to.equal('aborted');
    expect(influx.statements).to.deep.equal([]);
    influx.thaw();
    expect(await running).to.deep.equal({ kind: 'done' });
  });

  it('calls hooks around each statement of the agent, in which it may be killed', async () => {
    const influx = new FakeInflux();
    const calls: string[] = [];
    influx.hooks.before = (statement) => {
      calls.push(`before ${statement}`);
      influx.run('CREATE USER "u" WITH PASSWORD \'p\'');
    };
    influx.hooks.after = (_statement, result) => {
      calls.push(`after ${result.kind}`);
      influx.kill();
    };
    expect(await codeOf(influx.execute(CREATE))).to.equal('influxd-unreachable');
    expect(calls).to.deep.equal([`before ${CREATE}`, 'after done']);
    influx.start();
    expect(readSchema(influx.data).size).to.equal(3);
  });

  it('starts from the file that it is given, older or empty, and keeps its shards', () => {
    const influx = new FakeInflux();
    influx.run(CREATE);
    const older = influx.fileBytes();
    influx.run('CREATE DATABASE "e"');
    influx.write('e', undefined, 1n);
    influx.kill();
    influx.replaceFile(older);
    influx.start();
    expect(influx.data.Databases.map(({ Name }) => Name)).to.deep.equal(['d']);
    expect([...influx.disk.keys()]).to.deep.equal([1n]);
    influx.kill();
    influx.replaceFile(Buffer.from('garbage'));
    expect(() => {
      influx.start();
    }).to.throw(/not a metadata snapshot/);
    expect(influx.isRunning).to.equal(false);
  });

  it('can be installed without having started: there is no meta.db', async () => {
    const influx = new FakeInflux({ started: false });
    expect(await influx.ping()).to.equal(undefined);
    expect(await influx.readFile()).to.deep.equal({ kind: 'missing' });
    influx.start();
    expect((await influx.readFile()).kind).to.equal('found');
  });

  it('gives views of its metadata that later changes leave alone', async () => {
    const influx = new FakeInflux();
    const before = await influx.readMemory();
    const bytes = encodeSnapshot(before);
    influx.run(CREATE);
    influx.write('d', undefined, 1n);
    expect(encodeSnapshot(before)).to.deep.equal(bytes);
    expect((await influx.readMemory()).Index).to.equal(before.Index + 2n);
  });

  it('marks the group of an expired shard deleted, unloads it, and makes a new one for the same time', () => {
    const influx = new FakeInflux();
    influx.run(CREATE);
    const first = influx.write('d', undefined, 1n);
    influx.expire(first, 5n);
    expect(influx.disk.size).to.equal(0);
    expect(influx.data.Databases[0]?.RetentionPolicies[0]?.ShardGroups[0]?.DeletedAt).to.equal(5n);
    expect(influx.write('d', undefined, 1n)).to.equal(first + 1n);
  });
});
