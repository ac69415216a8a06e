// The gateway's authentication and authorization beside a real influxd with auth-enabled: the same users, credentials and
// statements get the same status and the same words from both.
import { expect } from 'chai';
import { AuthProbe } from '../../agent/gateway/auth/auth-probe.js';
import { authorize, authorizeWrite, mayList } from '../../agent/gateway/auth/authorize.js';
import {
  createGatewayAuth,
  type ClosableGatewayAuth,
} from '../../agent/gateway/auth/gateway-auth.js';
import { metadataOf } from '../../agent/gateway/metadata/metadata-of.js';
import type { Metadata } from '../../agent/gateway/metadata/port.js';
import { requestMetadata } from '../../agent/influxd/snapshot-client.js';
import { parseQuery } from '../../shared/influx/influxql/parse.js';
import { systemClock } from '../../shared/lifecycle/clock.js';
import { silentLogger } from '../../shared/log/logger.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import { basic, metadataWith, requestOf } from '../support/gateway/auth-deps.js';
import { STATEMENTS } from '../support/gateway/statements.js';
import { TOKENS } from '../support/gateway/tokens.js';
import { startInfluxd, type TestInfluxd } from '../support/influxd.js';

const SECRET = 'secret';

/** What a server says: the status, and the error text where it refused. */
type Said = readonly [status: number, error: string | undefined];

interface Asked {
  readonly query?: Record<string, string>;
  readonly header?: string;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

const CREDENTIALS: readonly Asked[] = [
  {},
  { query: { u: 'admin' } },
  { query: { p: 'p' } },
  { query: { u: '', p: 'p' } },
  { query: { u: 'admin', p: 'p' } },
  { query: { u: 'admin', p: 'wrong' } },
  { query: { u: 'nobody', p: 'p' } },
  { query: { u: 'admin', p: 'wrong' }, header: basic('admin', 'p') },
  { query: { u: 'admin' }, header: basic('admin', 'p') },
  ...[
    ...[basic('admin', 'p'), basic('admin', 'wrong'), basic('admin', ''), basic('', 'p')],
    ...[basic('ö "x"', 'ü:p ä'), basic('ö "x"', 'ü:p'), `BASIC ${base64('admin:p')}`],
    ...['Basic', 'Basic !!!', `Basic  ${base64('admin:p')}`, `Basic ${base64('admin')}`],
    ...[`${basic('admin', 'p')} x`, 'Foo bar', 'bearer x', 'Bearer', 'Bearer  x', 'Bearer x'],
  ].map((header) => ({ header })),
];

describe("the gateway's authentication, beside influxd", function () {
  this.timeout(30_000);
  let influxd: TestInfluxd;
  let probe: AuthProbe;
  let auth: ClosableGatewayAuth;
  let current: Metadata = metadataWith();
  const { signal } = new AbortController();

  before(async () => {
    const config = { http: { 'shared-secret': SECRET } };
    influxd = await startInfluxd({ authEnabled: true, config });
    probe = new AuthProbe({ url: influxd.url, clock: systemClock(), logger: silentLogger() });
    auth = createGatewayAuth({
      mode: 'auto',
      metadata: {
        get current() {
          return current;
        },
      },
      isMetadataKnown: () => true,
      influxd: probe,
      jwtSecret: () => SECRET,
      clock: systemClock(),
      maxFailuresPerMinute: 1_000,
    });
  });
  after(async () => {
    await auth.close();
    await probe.stop();
    await influxd.remove();
  });

  /** The users that influxd has, as the cluster would have them. */
  async function learn(): Promise<void> {
    await probe.look(signal);
    const place = { host: '127.0.0.1', port: influxd.snapshotPort };
    const bytes = await requestMetadata(place, { deadlineMs: 5_000 });
    current = metadataOf(1, readSchema(decodeSnapshot(bytes)).values(), () => 1);
  }

  async function theirs(path: string, { query = {}, header }: Asked, body: string): Promise<Said> {
    const answer = await fetch(`${influxd.url}${path}?${new URLSearchParams(query).toString()}`, {
      method: 'POST',
      headers: {
        ...(path === '/query' ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
        ...(header === undefined ? {} : { authorization: header }),
      },
      body,
      signal: AbortSignal.timeout(5_000),
    });
    const text = await answer.text();
    // Of what influxd then makes of the statement the gateway knows nothing.
    const error = answer.status < 400 ? undefined : (JSON.parse(text) as { error: string }).error;
    return [answer.status === 204 ? 200 : answer.status, error];
  }
  const theirQuery = (asked: Asked, q: string) =>
    theirs('/query', asked, new URLSearchParams({ q }).toString());

  async function admitted({ query = {}, header }: Asked) {
    return auth.authenticate(requestOf(header), new URLSearchParams(query), signal);
  }

  async function ourQuery(asked: Asked, q: string): Promise<Said> {
    const who = await admitted(asked);
    if (who.kind === 'refused') return [who.status, who.error];
    if (who.kind === 'limited') return [429, undefined];
    const parsed = parseQuery(q);
    if (parsed.kind === 'unparsable') return [400, parsed.why];
    const options = {
      database: asked.query?.['db'] ?? '',
      hasUsers: current.users.size > 0,
    };
    const error = authorize(parsed.statements, who, options);
    return error === undefined ? [200, undefined] : [403, error];
  }

  async function ourWrite(asked: Asked): Promise<Said> {
    const who = await admitted(asked);
    if (who.kind === 'refused') return [who.status, who.error];
    if (who.kind === 'limited') return [429, undefined];
    const error = authorizeWrite(who, asked.query?.['db'] ?? '');
    return error === undefined ? [200, undefined] : [403, error];
  }

  const as = (u: string, db?: string): Asked => ({
    query: { u, p: 'p', ...(db === undefined ? {} : { db }) },
  });
  const run = (q: string) => influxd.query(q, { params: { u: 'admin', p: 'p' } });

  it('lets nobody do anything but make the first admin', async () => {
    await learn();
    expect(current.users.size).to.equal(0);
    for (const q of ['SHOW DATABASES', "CREATE USER x WITH PASSWORD 'p'", ';']) {
      expect(await ourQuery(as('admin'), q), q).to.deep.equal(await theirQuery(as('admin'), q));
    }
    const admin = "CREATE USER admin WITH PASSWORD 'p' WITH ALL PRIVILEGES; CREATE DATABASE d0";
    expect(await ourQuery({}, admin)).to.deep.equal(await theirQuery({}, admin));
    await learn();
    expect(probe.hasAdmin).to.equal(true);
  });

  it('judges credentials', async () => {
    await run(`CREATE USER "ö \\"x\\"" WITH PASSWORD 'ü:p ä' WITH ALL PRIVILEGES`);
    await learn();
    for (const asked of CREDENTIALS) {
      const expected = await theirQuery(asked, 'SHOW DATABASES');
      expect(await ourQuery(asked, 'SHOW DATABASES'), JSON.stringify(asked)).to.deep.equal(
        expected,
      );
    }
  });

  it('judges tokens', async () => {
    const now = Math.floor(Date.now() / 1_000);
    for (const { what, token, error } of TOKENS) {
      const asked = { header: `Bearer ${token(now)}` };
      const expected = await theirQuery(asked, 'SHOW DATABASES');
      expect(expected[1], what).to.equal(error);
      expect(await ourQuery(asked, 'SHOW DATABASES'), what).to.deep.equal(expected);
    }
  });

  it('judges statements and writes by privileges', async () => {
    await run('CREATE DATABASE d1');
    const grants = { reader: 'READ', writer: 'WRITE', both: 'ALL', none: undefined };
    for (const [user, privilege] of Object.entries(grants)) {
      await run(`CREATE USER ${user} WITH PASSWORD 'p'`);
      if (privilege !== undefined) await run(`GRANT ${privilege} ON d0 TO ${user}`);
    }
    await run('GRANT READ ON d1 TO none; REVOKE ALL ON d1 FROM none');
    await learn();
    for (const user of Object.keys(grants)) {
      for (const asked of [as(user, 'd0'), as(user)]) {
        for (const statement of STATEMENTS) {
          const expected = await theirQuery(asked, statement);
          const what = `${JSON.stringify(asked)}: ${statement}`;
          expect(await ourQuery(asked, statement), what).to.deep.equal(expected);
        }
      }
      for (const database of ['d0', 'd1']) {
        const asked = as(user, database);
        const expected = await theirs('/write', asked, 'm f=1');
        expect(await ourWrite(asked), JSON.stringify(asked)).to.deep.equal(expected);
      }
      const params = { u: user, p: 'p' };
      const listed = await influxd.names('SHOW DATABASES', { params });
      const who = await admitted(as(user));
      const ours = ['d0', 'd1'].filter((name) => 'caller' in who && mayList(who.caller, name));
      expect(ours, user).to.deep.equal(listed);
    }
  });

  it('locks itself up where users are left, and no admin among them', async () => {
    await run('DROP USER "ö \\"x\\""');
    await run('REVOKE ALL PRIVILEGES FROM admin');
    await learn();
    expect(probe.hasAdmin).to.equal(false);
    const another = "CREATE USER y WITH PASSWORD 'p' WITH ALL PRIVILEGES";
    for (const q of ['SHOW DATABASES', another]) {
      expect(await ourQuery(as('admin'), q)).to.deep.equal(await theirQuery(as('admin'), q));
    }
    const asked = as('writer', 'd0');
    expect(await ourWrite(asked)).to.deep.equal(await theirs('/write', asked, 'm f=1'));
  });

  it('asks for nothing where influxd does not', async () => {
    const open = await startInfluxd();
    const look = new AuthProbe({ url: open.url, clock: systemClock(), logger: silentLogger() });
    await look.look(signal);
    expect([look.asks, look.hasAdmin]).to.deep.equal([false, undefined]);
    await look.stop();
    await open.remove();
  });
});
