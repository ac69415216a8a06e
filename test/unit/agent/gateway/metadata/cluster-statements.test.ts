import { expect } from 'chai';
import { ClusterStatements } from '../../../../../agent/gateway/metadata/cluster-statements.js';
import type { ClusterStatementsDeps } from '../../../../../agent/gateway/metadata/cluster-statements.js';
import type { KnownPassword } from '../../../../../agent/gateway/metadata/passwords.js';
import { FakeInflux } from '../../../../../agent/influxd/fake-influx.js';
import { makeReport } from '../../../../../agent/sync/report.js';
import { AppError } from '../../../../../shared/errors/app-error.js';
import { silentLogger } from '../../../../../shared/log/logger.js';

const { signal } = new AbortController();

/** Three nodes, of which this is the first; the third is not on this machine. */
const PEERS = [
  { id: 2, host: '127.0.0.1' },
  { id: 3, host: '10.0.0.3' },
].map(({ id, host }) => ({
  id,
  uid: `u${id}`,
  address: { host, port: 1 },
  hostname: host,
  isAlive: true,
  behind: [],
}));

interface World {
  readonly runner: ClusterStatements;
  readonly influx: FakeInflux;
  /** What peers were asked, in order: path and body. */
  readonly asked: {
    readonly nodes: readonly number[];
    readonly path: string;
    readonly body: object;
  }[];
  readonly numbered: string[];
}

function world(more: Partial<ClusterStatementsDeps> & { reached?: number } = {}): World {
  const influx = new FakeInflux();
  const asked: World['asked'] = [];
  const numbered: string[] = [];
  const { reached, ...deps } = more;
  const runner = new ClusterStatements({
    control: influx,
    reconciler: {
      around: async (work) => {
        const result = await work(signal);
        const report = makeReport({ outcome: 'no-action', sentence: '', version: 7 });
        return { result, report: result.hasChanged ? report : undefined };
      },
    },
    remoteView: { refresh: () => Promise.resolve(false), tag: undefined },
    metadata: { apply: (version: number) => Promise.resolve(version) },
    peers: {
      connected: () => Promise.resolve(PEERS),
      reach: (nodes: typeof PEERS, path: string, body: object) => {
        asked.push({ nodes: nodes.map(({ id }) => id), path, body });
        return Promise.resolve(reached ?? nodes.length);
      },
    } as unknown as ClusterStatementsDeps['peers'],
    deletes: {
      noteLine: () => Promise.resolve(),
      runUpTo: () => Promise.resolve(undefined),
    } as unknown as ClusterStatementsDeps['deletes'],
    placementApi: {
      addDelete: (database, statement) => {
        numbered.push(`${database}: ${statement}`);
        return Promise.resolve(4);
      },
    },
    seal: ({ user, hash, text }: KnownPassword) => ({ user, hash, text }),
    maySend: ({ address }) => address.host === '127.0.0.1',
    appliedVersion: () => 7,
    onReport: () => undefined,
    logger: silentLogger(),
    ...deps,
  });
  return { runner, influx, asked, numbered };
}

describe('a statement that changes the cluster', () => {
  it('is run here, and then every connected node is asked to have it', async () => {
    const { runner, influx, asked } = world();
    const outcome = await runner.run('CREATE DATABASE "db"', {}, signal);
    expect(outcome).to.deep.equal({ propagated: { reached: 3, live: 3 } });
    expect(influx.data.Databases.map(({ Name }) => Name)).to.deep.equal(['db']);
    expect(asked).to.deep.equal([{ nodes: [2, 3], path: '/peer/v1/reach', body: { version: 7 } }]);
  });

  it('says how many have it where not all do', async () => {
    const { runner } = world({ reached: 1 });
    const outcome = await runner.run('CREATE DATABASE "db"', {}, signal);
    expect(outcome.propagated).to.deep.equal({ reached: 2, live: 3 });
  });

  it("is refused in influxd's words, and nobody is asked for anything", async () => {
    const { runner, asked } = world();
    const outcome = await runner.run('DROP USER "nobody"', {}, signal);
    expect(outcome.error).to.equal('user not found');
    expect(asked).to.deep.equal([]);
  });

  it('is on this node alone while no manager answers', async () => {
    const away = () => Promise.reject(new AppError('manager-unreachable', 'nobody answers'));
    const { runner, asked } = world({
      remoteView: { refresh: away, tag: undefined },
      metadata: { apply: away },
    });
    const outcome = await runner.run('CREATE DATABASE "db"', {}, signal);
    expect(outcome.propagated).to.deep.equal({ reached: 1, live: 3 });
    expect(asked).to.deep.equal([]);
  });

  it('sends a password before the result, and only to whom it is safe with', async () => {
    const { runner, asked } = world();
    const password = { user: 'alice', text: 'swordfish' };
    await runner.run(`CREATE USER "alice" WITH PASSWORD 'swordfish'`, { password }, signal);
    expect(asked.map(({ nodes, path }) => [nodes, path])).to.deep.equal([
      [[2], '/peer/v1/passwords'],
      [[2, 3], '/peer/v1/reach'],
    ]);
    expect(asked[0]?.body).to.include(password);
  });
});

describe('a delete for the cluster', () => {
  it('is numbered with its time made absolute, and run on every connected node', async () => {
    const { runner, asked, numbered } = world();
    const outcome = await runner.delete('db', 'DELETE FROM m WHERE time < now() - 1h', signal);
    expect(outcome).to.deep.equal({ propagated: { reached: 3, live: 3 } });
    expect(numbered[0])
      .to.match(/^db: DELETE FROM "m" WHERE "time" < /)
      .and.not.include('now');
    expect(asked).to.deep.equal([{ nodes: [2, 3], path: '/peer/v1/deletes', body: { number: 4 } }]);
  });

  it('deletes nothing where it can not be numbered', async () => {
    const away = () => Promise.reject(new AppError('manager-unreachable', 'nobody answers'));
    const { runner, asked } = world({ placementApi: { addDelete: away } });
    const error = await runner.delete('db', 'DELETE FROM m', signal).catch((each: unknown) => each);
    expect(error).to.have.property('code', 'manager-unreachable');
    expect(asked).to.deep.equal([]);
  });

  it('is refused where it is more than one statement', async () => {
    const { runner, numbered } = world();
    const error = await runner
      .delete('db', 'DELETE FROM m; DELETE FROM n', signal)
      .catch((each: unknown) => each);
    expect(error).to.include({ code: 'statement-unparsable', status: 400 });
    expect(numbered).to.deep.equal([]);
  });
});
