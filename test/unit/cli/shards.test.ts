// The shards commands, against a stand-in for a manager.
import { create } from '@bufbuild/protobuf';
import { expect } from 'chai';
import { shardsOf } from '../../../cli/local-shards.js';
import {
  DatabaseInfoSchema,
  RetentionPolicyInfoSchema,
  ShardGroupInfoSchema,
  ShardInfoSchema,
} from '../../../shared/meta/gen/meta_pb.js';
import { emptyData } from '../../../shared/meta/snapshot.js';
import { FakeManager, run } from './support.js';

const group = {
  id: 4,
  database: 'db',
  policy: 'autogen',
  'database-mark': 1,
  'policy-mark': 1,
  start: '2026-03-02T00:00:00Z',
  end: '2026-03-09T00:00:00Z',
  shards: [
    {
      id: 7,
      owners: [
        { node: 1 },
        { node: 2, incomplete: { since: '2026-03-03T00:00:00Z', why: 'a hint expired' } },
      ],
    },
    { id: 8, owners: [{ node: 3 }, { node: 4 }] },
  ],
};
const later = {
  ...group,
  id: 5,
  start: '2026-03-09T00:00:00Z',
  end: '2026-03-16T00:00:00Z',
  cut: { at: '2026-03-10T00:00:00Z', confirmed: [1], counts: false },
  shards: [{ id: 9, owners: [{ node: 1 }, { node: 2 }] }],
};
const dropped = { ...group, id: 6, 'policy-mark': 9, shards: [{ id: 10, owners: [{ node: 1 }] }] };
const placement = {
  version: 12,
  incarnation: 'inc',
  members: [1, 2, 3, 4],
  deletes: 0,
  groups: [later, group, dropped],
};
const snapshot = {
  version: 3,
  incarnation: 'inc',
  databases: [
    {
      name: 'db',
      'default-policy': 'autogen',
      policies: [
        { name: 'autogen', duration: 'inf', 'shard-duration': '168h', replication: 2 },
        { name: 'other', duration: 'inf', 'shard-duration': '168h', replication: 2 },
      ],
      'continuous-queries': [],
      subscriptions: [],
    },
  ],
  users: [],
};
const marks = {
  version: 3,
  marks: [
    { object: 'database', path: ['db'], mark: 1 },
    { object: 'policy', path: ['db', 'autogen'], mark: 1 },
    { object: 'policy', path: ['db', 'other'], mark: 1 },
  ],
  tombstones: [],
  'swept-through': 0,
};

describe('the shards commands', () => {
  let fake: FakeManager;
  beforeEach(async () => {
    fake = new FakeManager();
    await fake.start();
    fake.routes.set('GET /clusters/default/placement/0?wait=0s', { json: placement });
    fake.routes.set('GET /clusters/default/versions/0?wait=0s', { json: snapshot });
    fake.routes.set('GET /clusters/default/marks/3', { json: marks });
  });
  afterEach(() => fake.stop());
  const ask = (...args: string[]) => run(['shards', ...args, '--manager', fake.url]);
  const explain = async (text: string, ...more: string[]) => {
    const { stdout, stderr } = await ask('explain', text, '-o', 'json', ...more);
    expect(stderr).to.equal('');
    return JSON.parse(stdout) as Record<string, unknown>[];
  };

  it('list groups by time with their owners, who lacks what, and what will be of them', async () => {
    const { stdout, exitCode } = await ask('list');
    expect(exitCode).to.equal(0);
    const rows = stdout.trim().split('\n').slice(1);
    expect(rows.map((row) => row.trim().split(/ +/)[0])).to.deep.equal(['4', '6', '5']);
    expect(rows[0]).to.match(/ok +2 +1,2! \| 3,4 +node 2: a hint expired$/);
    expect(rows[1]).to.match(/void/);
    expect(rows[2]).to.match(/to be cut at 2026-03-10T00:00:00Z \(1 confirmed\) +1 +1,2 +-$/);
  });

  it('list one database or policy, and as JSON what the manager has', async () => {
    expect((await ask('list', '--policy', 'other')).stdout.trim().split('\n')).to.have.length(1);
    const { stdout } = await ask('list', '--database', 'db', '-o', 'json');
    const body = JSON.parse(stdout) as typeof placement;
    expect(body.groups).to.deep.equal([group, dropped, later]);
  });

  it('list a line for each owner with -o wide', async () => {
    fake.routes.set('GET /nodes/default', { json: [] });
    const { stdout } = await ask('list', '-o', 'wide');
    const rows = stdout.trim().split('\n');
    expect(rows[0]).to.match(
      /^GROUP +SHARD .* NODE +HOSTNAME +COMPLETE +SINCE +WHY +LOCAL +BYTES$/,
    );
    expect(rows).to.have.length(1 + 4 + 1 + 2);
    expect(rows[2]).to.match(/2 +- +no +2026-03-03T00:00:00Z +a hint expired +- +-$/);
  });

  it('show a map of time by shard for each policy', async () => {
    const { stdout } = await ask('map');
    const lines = stdout.split('\n');
    expect(lines[0]).to.equal('db.autogen');
    expect(lines[1]).to.match(/^START +END +SHARD 0 +SHARD 1 +STATE$/);
    expect(lines[2]).to.match(/^2026-03-02T00:00:00Z +2026-03-09T00:00:00Z +1,2! +3,4 +ok$/);
  });

  it('explain where a point goes, by the hash of its series', async () => {
    const time = String(BigInt(Date.parse('2026-03-04T00:00:00Z')) * 1_000_000n);
    const points = await explain(
      `cpu,host=b v=1 ${time}\ncpu,host=a v=1 ${time}`,
      '--database',
      'db',
    );
    const indexes = points.map(({ shard }) => (shard as { index: number }).index);
    expect(indexes).to.deep.equal(
      ['cpu,host=b', 'cpu,host=a'].map((key) => fnv(key) % 2n).map(Number),
    );
    expect(points[0]).to.deep.include({ group: 4, policy: 'autogen', series: 'cpu,host=b' });
  });

  it('explain that the first write makes the group where there is none', async () => {
    const [point] = await explain('cpu v=1 1', '--database', 'db', '--precision', 's');
    expect(point).to.deep.include({ group: null, shard: null, time: '1970-01-01T00:00:01Z' });
  });

  it('explain which groups a query reads, and who can answer it alone', async () => {
    const query = "SELECT v FROM cpu WHERE time >= '2026-03-10T00:00:00Z'";
    const [narrow] = await explain(query, '--database', 'db');
    expect(narrow).to.deep.include({ kind: 'select', answeredBy: [1, 2] });
    expect((narrow?.['groups'] as { id: number }[]).map(({ id }) => id)).to.deep.equal([5]);
    const [wide] = await explain('SHOW MEASUREMENTS', '--database', 'db');
    expect(wide).to.deep.include({ kind: 'show-data', answeredBy: [] });
    const [none] = await explain('SHOW DATABASES');
    expect(none).to.deep.include({ kind: 'show-metadata', answeredBy: null });
    const [other] = await explain('SELECT v FROM db.other.cpu');
    expect(other).to.deep.include({ groups: [], answeredBy: [1, 2, 3, 4] });
  });

  it('refuse what is neither a query nor a line, and a database that is not there', async () => {
    const neither = await ask('explain', 'what is this', '--database', 'db');
    expect(neither.exitCode).to.equal(2);
    expect(neither.stderr).to.include('neither a query');
    const missing = await ask('explain', 'cpu v=1', '--database', 'nope');
    expect(missing.exitCode).to.equal(6);
  });

  it('truncate with --yes alone', async () => {
    fake.routes.set('POST /clusters/default/placement/truncate', { json: placement });
    expect((await ask('truncate')).exitCode).to.equal(2);
    expect(fake.sent).to.deep.equal([]);
    const { exitCode, stderr } = await ask('truncate', '--database', 'db', '--yes');
    expect(exitCode).to.equal(0);
    expect(stderr).to.match(/^1 groups of cluster default are to be cut/);
    expect(fake.sent).to.deep.equal([{ database: 'db' }]);
  });

  it('mark a node with a reason', async () => {
    fake.routes.set('POST /clusters/default/placement/completeness', { json: placement });
    expect((await ask('mark', '2', 'incomplete', '--yes')).exitCode).to.equal(2);
    expect((await ask('mark', '2', 'whole', '--yes')).exitCode).to.equal(2);
    expect((await ask('mark', '2', 'complete')).exitCode).to.equal(2);
    await ask('mark', '2', 'incomplete', '--groups', '4,5', '--why', 'new disk', '--yes');
    await ask('mark', '2', 'complete', '--yes');
    expect(fake.sent).to.deep.equal([
      { node: 2, groups: [4, 5], complete: false, why: 'new disk' },
      { node: 2, groups: 'all', complete: true },
    ]);
  });

  it("find a node's own shards by overlap in time, and add their bytes up", () => {
    const data = emptyData();
    const ns = (time: string) => BigInt(Date.parse(time)) * 1_000_000n;
    const local = (id: bigint, start: string, end: string, deleted = 0n) =>
      create(ShardGroupInfoSchema, {
        ID: id,
        StartTime: ns(start),
        EndTime: ns(end),
        DeletedAt: deleted,
        Shards: [create(ShardInfoSchema, { ID: id })],
      });
    data.Databases = [
      create(DatabaseInfoSchema, {
        Name: 'db',
        RetentionPolicies: [
          create(RetentionPolicyInfoSchema, {
            Name: 'autogen',
            ShardGroups: [
              local(31n, '2026-03-05T00:00:00Z', '2026-03-12T00:00:00Z'),
              local(30n, '2026-03-01T00:00:00Z', '2026-03-05T00:00:00Z'),
              local(29n, '2026-03-04T00:00:00Z', '2026-03-05T00:00:00Z', 1n),
              local(28n, '2026-03-09T00:00:00Z', '2026-03-16T00:00:00Z'),
            ],
          }),
        ],
      }),
    ];
    const found = shardsOf(
      data,
      new Map([
        [30, 100],
        [31, 11],
      ]),
    );
    const of = {
      id: 4,
      database: 'db',
      policy: 'autogen',
      databaseMark: 1,
      policyMark: 1,
      startNs: ns(group.start),
      endNs: ns(group.end),
      shards: [],
    };
    expect(found.idsOf(of)).to.deep.equal([30, 31]);
    expect(found.bytesOf(of)).to.equal(111);
    expect(found.idsOf({ ...of, policy: 'other' })).to.deep.equal([]);
    expect(found.bytesOf({ ...of, policy: 'other' })).to.equal(undefined);
  });
});

/** FNV-1a, 64 bits, by the book. */
function fnv(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) {
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  }
  return hash;
}
