import { expect } from 'chai';
import { QueryHandler } from '../../../../../agent/gateway/query/query-handler.js';
import type { QueryDeps } from '../../../../../agent/gateway/query/port.js';
import { AppError } from '../../../../../shared/errors/app-error.js';
import { eventually } from '../../../../support/eventually.js';
import { serve } from '../../../../support/gateway/one-node.js';
import {
  authOf,
  breakingOff,
  FakeReader,
  group,
  opened,
  placementWith,
  queryDeps,
  SILENT,
  type Script,
} from '../../../../support/gateway/query-fakes.js';

const OK = '{"results":[{"statement_id":0}]}\n';
const BEHIND: Script = () => ({ kind: 'behind', why: 'hints', retryAfterMs: 20 });

describe('QueryHandler', () => {
  let close: (() => Promise<void>) | undefined;
  let url = '';

  afterEach(async () => {
    await close?.();
    close = undefined;
  });

  async function start(scripts: Record<number, Script>, changes: Partial<QueryDeps> = {}) {
    const reader = new FakeReader(
      new Map(Object.entries(scripts).map(([id, one]) => [Number(id), one])),
    );
    const deps = queryDeps({ reader, ...changes });
    const served = await serve(new QueryHandler(deps));
    url = served.url;
    close = () => served.close();
    return { reader, deps };
  }

  async function ask(q: string, headers: Record<string, string> = {}) {
    const parameters = new URLSearchParams({ q, db: 'db' });
    const answer = await fetch(`${url}/query?${parameters.toString()}`, {
      method: 'POST',
      headers,
    });
    return { status: answer.status, headers: answer.headers, body: await answer.text() };
  }

  it('asks this node with all that it has to know, and passes its answer on', async () => {
    const { reader } = await start({ 1: () => OK });
    const { status, headers, body } = await ask('SELECT v FROM cpu');
    expect({ status, body }).to.deep.equal({ status: 200, body: OK });
    expect(headers.get('x-clusterflux-served-by')).to.equal('1');
    expect(headers.get('x-clusterflux-complete')).to.equal('true');
    expect(reader.asked.map(({ node, query }) => ({ node, query }))).to.deep.equal([
      {
        node: 1,
        query: {
          statement: 'SELECT v FROM cpu',
          database: 'db',
          policy: undefined,
          epoch: undefined,
          chunked: false,
          chunkSize: undefined,
          pretty: false,
          accept: '*/*',
          params: undefined,
          groups: [1],
          placementVersion: 9,
          metadataVersion: 4,
          deletes: 3,
        },
      },
    ]);
  });

  it('counts statements by class and outcome', async () => {
    const { deps } = await start({ 1: () => OK });
    await ask('SELECT v FROM cpu; SHOW SHARDS');
    await ask('DROP SHARD 1');
    const metrics = await deps.registry.metrics();
    expect(metrics).to.include(
      'clusterflux_gateway_statements_total{class="select",outcome="ok"} 1',
    );
    expect(metrics).to.include('{class="show-metadata",outcome="ok"} 1');
    expect(metrics).to.include('{class="drop-shard",outcome="refused"} 1');
    expect(metrics).to.include('clusterflux_gateway_query_first_byte_seconds_count 1');
  });

  it('goes on to the next owner as long as no byte of an answer has come', async () => {
    const FAULTS: Script[] = [
      () => ({ kind: 'failed', why: 'refused' }),
      BEHIND,
      () => opened(breakingOff()),
      () => '{"results":[{"statement_id":0,"error":"engine is closed"}]}\n',
      () => ({ ...opened(breakingOff('x')), status: 503 }),
    ];
    for (const fault of FAULTS) {
      await start({ 1: fault, 3: () => OK });
      const { status, headers, body } = await ask('SELECT v FROM cpu');
      expect({ status, body }).to.deep.equal({ status: 200, body: OK });
      expect(headers.get('x-clusterflux-served-by')).to.equal('3');
      await close?.();
    }
  });

  it('goes on to the next owner where one neither answers nor refuses for a second', async () => {
    await start({ 1: SILENT, 2: () => OK });
    const { status, headers } = await ask('SELECT v FROM cpu');
    expect([status, headers.get('x-clusterflux-served-by')]).to.deep.equal([200, '2']);
  });

  it('breaks the connection off where an answer breaks off', async () => {
    await start({
      1: () => opened(breakingOff('{"results":[{"statement_id":0,"ser')),
      2: () => OK,
    });
    const error = await ask('SELECT v FROM cpu').catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(TypeError);
  });

  it('says 503 where no owner answers, and names them', async () => {
    await start({});
    const { status, headers, body } = await ask('SELECT v FROM cpu');
    expect(status).to.equal(503);
    expect(headers.get('x-clusterflux-code')).to.equal('owner-failed');
    expect(headers.get('x-clusterflux-retry')).to.equal('safe');
    expect(body).to.include('node 1: refused; node 2: refused; node 3: refused');
  });

  it('waits a moment for owners that may lack points, and answers as soon as one does not', async () => {
    let calls = 0;
    await start({
      1: BEHIND,
      2: (query, signal) => {
        calls += 1;
        return calls < 3 ? BEHIND(query, signal) : OK;
      },
    });
    const { status, headers } = await ask('SELECT v FROM cpu');
    expect(status).to.equal(200);
    expect(headers.get('x-clusterflux-served-by')).to.equal('2');
  });

  it('says 503 with Retry-After where all may lack points for a second', async () => {
    await start({ 1: BEHIND });
    const { status, headers } = await ask('SELECT v FROM cpu');
    expect(status).to.equal(503);
    expect(headers.get('x-clusterflux-code')).to.equal('behind');
    expect(headers.get('retry-after')).to.equal('1');
  });

  it('gives a partial answer only to whom takes one, and says that it is', async () => {
    const placement = placementWith([group(1, [[-1]])]);
    await start({ 1: () => OK }, { placement });
    const refused = await ask('SELECT v FROM cpu');
    expect(refused.status).to.equal(503);
    expect(refused.headers.get('x-clusterflux-code')).to.equal('incomplete');
    const { status, headers } = await ask('SELECT v FROM cpu', {
      'x-clusterflux-allow-partial': 'true',
    });
    expect(status).to.equal(200);
    expect(headers.get('x-clusterflux-complete')).to.equal('false');
    expect(headers.get('x-clusterflux-missing')).to.include('node 1 may lack points in group 1');
  });

  it('runs nothing where one of several statements is not allowed', async () => {
    const { reader } = await start({ 1: () => OK }, { auth: authOf({ mayRead: () => true }) });
    const { status, body } = await ask('SELECT v FROM cpu; DROP MEASUREMENT cpu');
    expect(status).to.equal(403);
    expect(body).to.match(
      /^\{"error":"error authorizing query: u not authorized to execute statement/,
    );
    expect(reader.asked).to.deep.equal([]);
  });

  it('lets nobody but the first admin in while there is none', async () => {
    const caller = { user: undefined, isAdmin: false, mayRead: () => false, mayWrite: () => false };
    const run = () => Promise.resolve({ propagated: { reached: 2, live: 3 } });
    await start(
      { 1: () => OK },
      {
        auth: { isOn: true, authenticate: () => Promise.resolve({ kind: 'bootstrap', caller }) },
        runner: { run, delete: run },
      },
    );
    expect((await ask('SHOW DATABASES')).body).to.include('create admin user first');
    const made = await ask("CREATE USER a WITH PASSWORD 'p' WITH ALL PRIVILEGES");
    expect(made.status).to.equal(200);
    expect(made.headers.get('x-clusterflux-propagated')).to.equal('2/3');
  });

  it('puts a refusal of a later statement into its place, and runs none after it', async () => {
    const ran: string[] = [];
    const run = (statement: string) => {
      ran.push(statement);
      return Promise.resolve({ propagated: { reached: 1, live: 1 } });
    };
    const placement = placementWith([group(1, [[1], [2]])]);
    await start({}, { placement, runner: { run, delete: run } });
    const { status, body } = await ask('CREATE DATABASE a; SELECT v FROM cpu; CREATE DATABASE b');
    const { results } = JSON.parse(body) as { results: { error?: string }[] };
    expect(status).to.equal(200);
    expect(ran).to.deep.equal(['CREATE DATABASE a']);
    expect(results.map(({ error }) => error?.slice(0, 14))).to.deep.equal([
      undefined,
      'no single node',
      'not executed',
    ]);
  });

  it('gives the password of a user beside the statement, and a delete the database that it is for', async () => {
    const seen: unknown[] = [];
    const done = Promise.resolve({ propagated: { reached: 1, live: 1 } });
    await start(
      {},
      {
        runner: {
          run: (statement, { password }) => {
            seen.push([statement, password]);
            return done;
          },
          delete: (database, statement) => {
            seen.push([database, statement]);
            return done;
          },
        },
      },
    );
    await ask("SET PASSWORD FOR a = 'x'; DELETE FROM cpu");
    expect(seen).to.deep.equal([
      ["SET PASSWORD FOR a = 'x'", { user: 'a', text: 'x' }],
      ['db', 'DELETE FROM cpu'],
    ]);
  });

  it('passes on why a statement could not be run, with its code', async () => {
    const fail = () =>
      Promise.reject(
        new AppError('manager-unreachable', 'no manager', { status: 503, retryable: true }),
      );
    await start({}, { runner: { run: fail, delete: fail } });
    const { status, headers, body } = await ask('DELETE FROM cpu');
    expect({ status, body }).to.deep.equal({ status: 503, body: '{"error":"no manager"}\n' });
    expect(headers.get('x-clusterflux-code')).to.equal('manager-unreachable');
  });

  it('never sends a text that influxd might run after all', async () => {
    const { reader } = await start({
      1: ({ statement }) =>
        statement.includes('STOP') ? '{"error":"found CLUSTERFLUX_STOP, expected SELECT"}\n' : OK,
    });
    const { status, headers } = await ask('SELEKT 1');
    expect(status).to.equal(400);
    expect(headers.get('x-clusterflux-code')).to.equal('not-answerable');
    expect(reader.asked.map(({ query }) => query.statement)).to.deep.equal([
      'SELEKT 1\n;CLUSTERFLUX_STOP',
    ]);
  });

  it('ends the read where the client goes away', async () => {
    let isEnded = false;
    const endless = breakingOff('x');
    endless._read = () => {
      endless.push(Buffer.alloc(64 * 1024, 'x'));
    };
    endless.once('close', () => {
      isEnded = true;
    });
    await start({ 1: () => opened(endless) });
    const gone = new AbortController();
    const parameters = new URLSearchParams({ q: 'SELECT v FROM cpu', db: 'db' });
    const answer = await fetch(`${url}/query?${parameters.toString()}`, { signal: gone.signal });
    expect(answer.status).to.equal(200);
    gone.abort();
    await eventually(() => isEnded, { what: 'the owner is no longer read from' });
  });

  it('shows databases that the caller may read or write, and what only this server has', async () => {
    const internal =
      '{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["_internal"],["x"]]}]}]}\n';
    await start({ 1: () => internal });
    expect((await ask('SHOW DATABASES')).body).to.include('[["_internal"],["db"]]');
    await close?.();
    await start({ 1: () => internal }, { auth: authOf({ mayWrite: (name) => name === 'db' }) });
    expect((await ask('SHOW DATABASES')).body).to.include('"values":[["db"]]');
    await close?.();
    await start({}, { auth: authOf({}) });
    expect((await ask('SHOW DATABASES')).body).to.include('"columns":["name"]}]');
  });

  it('shows the placement as shards', async () => {
    await start({});
    const { body } = await ask('SHOW SHARDS; SHOW SHARD GROUPS');
    expect(body).to.include(
      '[10,"db","autogen",1,"1970-01-01T00:00:00Z","1970-01-01T00:00:00Z","1970-01-01T00:00:00Z","1,2,3"]',
    );
    expect(body).to.include('{"name":"shard groups","columns":["id",');
  });
});
