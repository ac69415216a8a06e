import { expect } from 'chai';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { Authentication, GatewayAuth } from '../../../../../agent/gateway/auth/port.js';
import type { ApplyOutcome } from '../../../../../agent/gateway/owner/port.js';
import type { WriteGateway } from '../../../../support/gateway/write-gateway.js';
import { startWriteGateway } from '../../../../support/gateway/write-gateway.js';

/** Everybody is who the test says. */
function known(authentication: Authentication): GatewayAuth {
  return { isOn: true, authenticate: async () => authentication };
}

function caller(user: string | undefined, writes: readonly string[]) {
  const mayWrite = (database: string) => writes.includes(database);
  return { user, isAdmin: false, mayRead: () => false, mayWrite };
}

describe('what a write is answered', () => {
  let gateway: WriteGateway | undefined;

  afterEach(async () => {
    await gateway?.close();
    gateway = undefined;
  });

  async function start(
    outcomes: readonly ApplyOutcome[] = [{ kind: 'applied' }],
    auth?: GatewayAuth,
  ): Promise<WriteGateway> {
    gateway = await startWriteGateway({
      sender: { send: async (node) => outcomes[node - 1] ?? { kind: 'failed', why: 'no such' } },
      owners: [outcomes.map((_, index) => index + 1)],
      ...(auth === undefined ? {} : { auth }),
    });
    gateway.metadata.add('d');
    return gateway;
  }

  async function write(query: string, body = 'm f=1 1') {
    const answer = await fetch(`${gateway?.url ?? ''}${query}`, { method: 'POST', body });
    const header = (name: string) => answer.headers.get(name);
    return { status: answer.status, text: await answer.text(), header };
  }

  describe('by who asks', () => {
    const rows: readonly [string, Authentication, string, number, string][] = [
      ['a user who may', { kind: 'accepted', caller: caller('w', ['d']) }, '/write?db=d', 204, ''],
      [
        'a user who may not',
        { kind: 'accepted', caller: caller('r', []) },
        '/write?db=d',
        403,
        '"r" user is not authorized to write to database "d"',
      ],
      [
        'a user who may not, of a database that does not exist',
        { kind: 'accepted', caller: caller('r', []) },
        '/write?db=zz',
        404,
        'database not found: "zz"',
      ],
      [
        'nobody, while there is no admin',
        { kind: 'bootstrap', caller: caller(undefined, []) },
        '/write?db=d',
        403,
        'user is required to write to database "d"',
      ],
      [
        'a wrong password, before anything else is judged',
        { kind: 'refused', status: 401, error: 'authorization failed' },
        '/write',
        401,
        'authorization failed',
      ],
      [
        'too many wrong passwords',
        { kind: 'limited', retryAfterSeconds: 7 },
        '/write?db=d',
        429,
        'too many wrong passwords for this user from this address; try again later',
      ],
    ];
    for (const [name, authentication, query, status, error] of rows) {
      it(`${name}: ${String(status)}`, async () => {
        await start([{ kind: 'applied' }], known(authentication));
        const answer = await write(query);
        const text = error === '' ? '' : `${JSON.stringify({ error })}\n`;
        expect([answer.status, answer.text]).to.deep.equal([status, text]);
        const isAsked = status === 401 ? 'Basic realm="InfluxDB"' : null;
        expect(answer.header('www-authenticate')).to.equal(isAsked);
      });
    }
  });

  it('says how far the points have come, and at which level', async () => {
    await start([{ kind: 'applied' }, { kind: 'failed', why: 'away' }, { kind: 'applied' }]);
    const { status, header } = await write('/write?db=d&consistency=QUORUM');
    expect(status).to.equal(204);
    expect(header('x-clusterflux-applied')).to.equal('2');
    expect(header('x-clusterflux-hinted')).to.equal('1');
    expect(header('x-clusterflux-level')).to.equal('quorum');
    expect(gateway?.hinted).to.deep.equal(['uid-2']);
  });

  it('is 503 where the level was not reached, with what was', async () => {
    await start([{ kind: 'applied' }, { kind: 'failed', why: 'away' }]);
    const { status, header, text } = await write('/write?db=d&consistency=all');
    expect(status).to.equal(503);
    expect(text).to.include('all needs 2 of 2 owners: 1 applied the points').and.to.include('away');
    expect(header('x-clusterflux-code')).to.equal('level-not-reached');
    expect(header('x-clusterflux-retry')).to.equal('safe');
    expect(header('x-clusterflux-applied')).to.equal('1');
    expect(header('retry-after')).to.equal('1');
  });

  it('is never 404 before the agent has heard of its cluster', async () => {
    const { metadata } = await start();
    metadata.isKnown = false;
    expect((await write('/write?db=zz')).status).to.equal(503);
  });

  it('asks the managers for a database that is not known here', async () => {
    const { metadata } = await start();
    const { current } = metadata;
    metadata.add('new');
    metadata.next = metadata.current;
    metadata.current = current;
    expect((await write('/write?db=new')).status).to.equal(204);
    expect(metadata.refreshes).to.equal(1);
  });

  describe('through /api/v2/write', () => {
    const rows: readonly [string, number, string][] = [
      ['bucket=d/autogen', 204, ''],
      ['bucket=d', 204, ''],
      ['bucket=d/', 204, ''],
      ['bucket=d/autogen&precision=us&org=any', 204, ''],
      ['bucket=d/zz', 500, 'retention policy not found: zz'],
      ['bucket=zz/autogen', 404, 'database not found: "zz"'],
      ['', 404, 'bucket name "" is missing a slash; not in "database/retention-policy" format'],
      ['bucket=/p', 404, 'bucket name "/p" is in db/rp form but has an empty database'],
      ['bucket=d&precision=u', 400, 'invalid precision "u" (use ns, us, ms or s)'],
    ];
    for (const [query, status, error] of rows) {
      it(`${query === '' ? 'no bucket' : query}: ${String(status)}`, async () => {
        await start();
        const answer = await write(`/api/v2/write?${query}`);
        const text = error === '' ? '' : `${JSON.stringify({ error })}\n`;
        expect([answer.status, answer.text]).to.deep.equal([status, text]);
      });
    }
  });

  it('tells a client that asks before it sends whether it shall', async () => {
    const { url } = await start();
    const ask = async (path: string) => {
      const headers = { expect: '100-continue', 'content-length': '7' };
      const request = httpRequest(`${url}${path}`, { method: 'POST', headers });
      let isTold = false;
      request.on('continue', () => {
        isTold = true;
        request.end('m f=1 1');
      });
      request.flushHeaders();
      const [answer] = (await once(request, 'response')) as [
        { statusCode?: number; resume(): void },
      ];
      answer.resume();
      request.destroy();
      return [answer.statusCode, isTold];
    };
    expect(await ask('/write?db=d')).to.deep.equal([204, true]);
    expect(await ask('/write?db=zz')).to.deep.equal([404, false]);
  });
});
