// The commands that ask a manager, against a stand-in for one.
import { create } from '@bufbuild/protobuf';
import { expect } from 'chai';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { decodeSnapshot, encodeSnapshot } from '../../../shared/meta/codec.js';
import { DatabaseInfoSchema } from '../../../shared/meta/gen/meta_pb.js';
import { emptyData } from '../../../shared/meta/snapshot.js';
import { temporaryDirectory } from '../../support/temp-dir.js';
import { FakeManager, problem, run } from './support.js';

const node = {
  id: 2,
  cluster: 'a/b',
  uid: 'u',
  hostname: 'host-2',
  ip: '10.0.0.2',
  'bind-address': '10.0.0.2:8888',
  alive: true,
  'last-seen': '2026-01-01T00:00:00Z',
  version: 3,
  state: 'in-step',
  labels: {},
  versions: { agent: '0.1.0' },
  pending: 0,
  hints: [],
  'from-a-newer-manager': 1,
};
const manager = {
  id: 'm1',
  hostname: 'm',
  ip: '10.0.0.1',
  'bind-address': '10.0.0.1:8000',
  alive: true,
  version: '0.1.0',
};
const cluster = {
  name: 'a/b',
  version: 3,
  incarnation: 'inc',
  'updated-at': '2026-01-01T00:00:00Z',
  nodes: { alive: 1, all: 2 },
};
const entry = {
  version: 3,
  at: '2026-01-01T00:00:00Z',
  author: { node: 2 },
  bytes: 100,
  digest: 'd'.repeat(64),
  changes: ['database x: created', 'b', 'c', 'd'],
};
const decoded = {
  version: 3,
  incarnation: 'inc',
  databases: [
    {
      name: 'my db',
      'default-policy': 'autogen',
      policies: [{ name: 'autogen', duration: 'inf', 'shard-duration': '168h', replication: 1 }],
      'continuous-queries': [{ name: 'q', query: 'CREATE …' }],
      subscriptions: [{ policy: 'autogen', name: 's', mode: 'ALL', destinations: ['udp://h:1'] }],
    },
  ],
  users: [{ name: 'ann', admin: false, password: 'x', privileges: { 'my db': 'READ' } }],
};

function snapshot(...databases: string[]): Uint8Array {
  const data = emptyData();
  data.Databases = databases.map((Name) =>
    create(DatabaseInfoSchema, { Name, DefaultRetentionPolicy: '' }),
  );
  return encodeSnapshot(data);
}

describe('the operator commands', () => {
  let fake: FakeManager;
  beforeEach(async () => {
    fake = new FakeManager();
    await fake.start();
  });
  afterEach(() => fake.stop());
  const ask = (...args: string[]) => run([...args, '--manager', fake.url]);

  it('list the nodes of all clusters, as a table and unchanged as JSON', async () => {
    const registry = { cflux: [manager], influx: [node], more: true };
    fake.routes.set('GET /nodes', { json: registry });
    const table = await ask('nodes', 'list');
    expect(table.exitCode).to.equal(0);
    expect(table.stdout)
      .to.match(/^CLUSTER +ID +HOSTNAME/)
      .and.to.match(/^a\/b +2 +host-2 +10\.0\.0\.2 +10\.0\.0\.2:8888 +yes/m);
    expect(JSON.parse((await ask('nodes', 'list', '-o', 'json')).stdout)).to.deep.equal(registry);
  });

  it('escape the names of clusters in paths', async () => {
    fake.routes.set('GET /nodes/a%2Fb', { json: [node] });
    fake.routes.set('GET /nodes/a%2Fb/2', { json: node });
    expect((await ask('nodes', 'list', '--cluster', 'a/b')).stdout).to.include('host-2');
    expect((await ask('nodes', 'get', '2', '--cluster', 'a/b')).stdout).to.match(
      /^hostname: +host-2$/m,
    );
  });

  it('forget a node, by force only where that is asked for', async () => {
    fake.routes.set('DELETE /nodes/default/2', { status: 204 });
    fake.routes.set('DELETE /nodes/default/2?force=true', { status: 204 });
    const { exitCode, stdout, stderr } = await ask('nodes', 'forget', '2', '--yes');
    expect([exitCode, stdout]).to.deep.equal([0, '']);
    expect(stderr).to.equal('node 2 of cluster default is deregistered\n');
    await ask('nodes', 'forget', '2', '--yes', '--force');
    expect(fake.asked).to.deep.equal([
      'DELETE /nodes/default/2',
      'DELETE /nodes/default/2?force=true',
    ]);
  });

  it('list and show clusters, and delete the version that they saw', async () => {
    fake.routes.set('GET /clusters', { json: [cluster] });
    fake.routes.set('GET /clusters/a%2Fb', { json: cluster });
    fake.routes.set('DELETE /clusters/a%2Fb?expect=3', { status: 204 });
    expect((await ask('clusters', 'list')).stdout).to.match(/^a\/b +3 /m);
    expect((await ask('clusters', 'get', 'a/b')).stdout).to.match(/^nodes alive: +1 of 2$/m);
    const asked = await ask('clusters', 'delete', 'a/b');
    expect([asked.exitCode, asked.stderr]).to.deep.equal([
      2,
      'clusterflux: this deletes cluster a/b (version 3, 1 of 2 nodes alive) from the manager; add --yes to do it\n',
    ]);
    expect((await ask('clusters', 'delete', 'a/b', '--yes')).exitCode).to.equal(0);
  });

  it('list versions with the first changes, and show one', async () => {
    fake.routes.set('GET /clusters/default/history', { json: [entry] });
    fake.routes.set('GET /clusters/default/history/3', { json: decoded });
    expect((await ask('versions', 'list')).stdout).to.match(
      /node 2 +100 +dddddddddddd +database x: created; b; c; and 1 more$/m,
    );
    expect((await ask('versions', 'get', '3')).stdout).to.equal(
      [
        'version 3, incarnation inc',
        'database "my db"',
        '  policy autogen (default): duration inf, shards of 168h, replication 1',
        '  continuous query q: CREATE …',
        '  subscription s on autogen: ALL udp://h:1',
        'user ann: READ on "my db"',
        '',
      ].join('\n'),
    );
  });

  it('compare two versions, and with --exit-code tell by it whether they differ', async () => {
    const change = {
      kind: 'created',
      object: 'database',
      path: ['x'],
      text: 'database x: created',
    };
    fake.routes.set('GET /clusters/default/diff?from=1&to=2', {
      json: { from: 1, to: 2, changes: [change] },
    });
    fake.routes.set('GET /clusters/default/diff?from=2&to=3', {
      json: { from: 2, to: 3, changes: [] },
    });
    fake.routes.set('GET /clusters/default', { json: cluster });
    expect(await ask('versions', 'diff', '1', '2')).to.deep.equal({
      exitCode: 0,
      stdout: '+ database x: created\n',
      stderr: '',
    });
    expect((await ask('versions', 'diff', '1', '2', '--exit-code')).exitCode).to.equal(1);
    expect(await ask('versions', 'diff', '2', '--exit-code')).to.deep.equal({
      exitCode: 0,
      stdout: '',
      stderr: '',
    });
  });

  it('say why a live node can not be compared: without the secret its agent tells nothing', async () => {
    fake.routes.set('GET /clusters/default/history/3', { bytes: snapshot('a', 'b') });
    const there = { ...node, uid: 'u', 'bind-address': `127.0.0.1:${fake.port}` };
    fake.routes.set('GET /nodes/default/2', { json: there });
    const closed = await ask('versions', 'diff', '3', 'live:2');
    expect(closed.exitCode).to.equal(1);
    expect(closed.stderr).to.match(
      /live metadata of node 2 failed because .* agent\.secret-file is not set here; name the file/,
    );
  });

  it('show the newest metadata, and say where there is none yet', async () => {
    fake.routes.set('GET /clusters/default/versions/0?wait=0s', { json: decoded });
    expect((await ask('meta', 'show')).stdout).to.include('database "my db"');
    fake.routes.set('GET /clusters/default/versions/0?wait=0s', { status: 204 });
    const none = await ask('meta', 'show');
    expect([none.exitCode, none.stdout]).to.deep.equal([6, '']);
    expect(none.stderr).to.match(/cluster default has no metadata/);
  });

  it('export a meta.db from which influxd boots, for its owner alone', async () => {
    fake.routes.set('GET /clusters/default/versions/0?wait=0s', { bytes: snapshot('a') });
    const directory = await temporaryDirectory('export');
    try {
      const file = join(directory.path, 'meta.db');
      expect((await ask('meta', 'export', file)).stdout).to.equal(`${file}\n`);
      const data = decodeSnapshot(await readFile(file));
      expect(data.Index).to.equal(2n);
      expect(data.ClusterID > 0n).to.equal(true);
      expect(data.Databases.map((database) => database.Name)).to.deep.equal(['a']);
      expect((await stat(file)).mode & 0o777).to.equal(0o600);
    } finally {
      await directory.remove();
    }
  });

  it('show managers, clusters and nodes on one screen', async () => {
    fake.routes.set('GET /nodes', {
      json: { cflux: [manager], influx: [node, { ...node, id: 3, alive: false }] },
    });
    fake.routes.set('GET /clusters', { json: [cluster] });
    const { stdout } = await ask('status');
    expect(stdout).to.match(/^1 of 2 nodes alive, 1 at their cluster's newest version\n/);
    expect(stdout).to.match(/^m1 +m +10\.0\.0\.1:8000 +yes/m);
    const json = JSON.parse((await ask('status', '-o', 'json')).stdout) as object;
    expect(json).to.have.keys('managers', 'clusters', 'nodes');
    expect((await ask('status', '--cluster', 'other')).stdout).to.match(/^0 of 0 nodes alive/);
  });

  const failures: [string, Parameters<typeof problem>, number][] = [
    ['what is not there', [404, 'node-not-found', 'there is no node 2'], 6],
    ['a conflict', [409, 'version-conflict', 'it moved on'], 5],
    ['missing rights', [401, 'unauthorized', 'who are you'], 7],
    ['a bad name', [400, 'name-invalid', 'that name is too long'], 2],
    ['a store that is away', [503, 'store-unavailable', 'etcd is away'], 1],
  ];
  for (const [what, arguments_, exitCode] of failures) {
    it(`pass on the API's own sentence for ${what}, with exit code ${exitCode}`, async () => {
      fake.routes.set('GET /nodes/default/2', problem(...arguments_));
      expect(await ask('nodes', 'get', '2')).to.deep.equal({
        exitCode,
        stdout: '',
        stderr: `clusterflux: ${arguments_[2]}\n`,
      });
    });
  }

  it('say that nothing listens there, with 4', async () => {
    await fake.stop();
    const { exitCode, stderr } = await run(['nodes', 'list', '--manager', 'http://127.0.0.1:1']);
    expect(exitCode).to.equal(4);
    expect(stderr).to.match(
      /^clusterflux: asking the manager failed \(http:\/\/127\.0\.0\.1:1: connection refused\)/,
    );
    await fake.start();
  });

  it('go on to the next manager where one cannot be reached', async () => {
    fake.routes.set('GET /clusters', { json: [] });
    const env = { CFLUX_ENDPOINT: `http://127.0.0.1:1,${fake.url}` };
    expect((await run(['clusters', 'list', '-o', 'json'], { env })).stdout).to.equal('[]\n');
  });

  for (const [what, reply] of [
    ['HTML', { bytes: Buffer.from('<html>'), type: 'text/html' }],
    ['other JSON', { json: { hello: 1 } }],
    ['an error of its own', { status: 404, bytes: Buffer.from('nope'), type: 'text/plain' }],
  ] as const) {
    it(`say that it is no manager where that answers with ${what}, with 4`, async () => {
      fake.routes.set('GET /nodes', reply);
      const { exitCode, stderr } = await ask('nodes', 'list');
      expect(exitCode).to.equal(4);
      expect(stderr).to.match(/does not answer as a ClusterFlux manager/);
    });
  }

  it('give up on a manager that does not answer, with 8', async () => {
    const mute = createServer(() => undefined);
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`;
      const { exitCode, stderr } = await run([
        'nodes',
        'list',
        '--manager',
        url,
        '--timeout',
        '100ms',
      ]);
      expect(exitCode).to.equal(8);
      expect(stderr).to.include('no answer within 100 ms');
    } finally {
      mute.close();
    }
  });
});
