// Every route of the API against every kind of caller: who is let in, and who is not. A route that is not in the table, or
// does not declare what it needs, fails here.
import { expect } from 'chai';
import type { RouteAccess } from '../../../../../manager/http/security/callers.js';
import { startTestManager, type TestManager } from '../../../../support/manager.js';
import { bearer, tokenFile } from '../../../../support/tokens.js';

const SESSION = 'the-current-session';
const UID = 'uid-1';

/** Who is let in: agent, operator, viewer; `mine` where the cluster of a token must be the one of the path. */
const EXPECTED: Readonly<Record<string, 'open' | { roles: string; cluster: 'mine' | 'any' }>> = {
  'GET /healthz': 'open',
  'HEAD /healthz': 'open',
  'GET /livez': 'open',
  'HEAD /livez': 'open',
  'GET /readyz': 'open',
  'HEAD /readyz': 'open',
  'GET /version': 'open',
  'GET /status': { roles: 'operator viewer', cluster: 'any' },
  'GET /metrics': { roles: 'operator viewer', cluster: 'any' },
  'GET /openapi.json': { roles: 'operator viewer', cluster: 'any' },
  'GET /nodes': { roles: 'agent operator viewer', cluster: 'any' },
  'GET /clusters': { roles: 'agent operator viewer', cluster: 'any' },
  'GET /nodes/:cluster': { roles: 'agent operator viewer', cluster: 'mine' },
  'GET /nodes/:cluster/:id': { roles: 'agent operator viewer', cluster: 'mine' },
  'POST /nodes/:cluster': { roles: 'agent operator', cluster: 'mine' },
  'PUT /nodes/:cluster/:id': { roles: 'agent operator', cluster: 'mine' },
  'DELETE /nodes/:cluster/:id': { roles: 'agent operator', cluster: 'mine' },
  'POST /nodes/:cluster/:id/pause': { roles: 'operator', cluster: 'mine' },
  'POST /nodes/:cluster/:id/resume': { roles: 'operator', cluster: 'mine' },
  'POST /nodes/:cluster/:id/approve': { roles: 'operator', cluster: 'mine' },
  'GET /clusters/:cluster': { roles: 'agent operator viewer', cluster: 'mine' },
  'DELETE /clusters/:cluster': { roles: 'operator', cluster: 'mine' },
  'POST /clusters/:cluster/pause': { roles: 'operator', cluster: 'mine' },
  'POST /clusters/:cluster/resume': { roles: 'operator', cluster: 'mine' },
  'POST /clusters/:cluster/rollback': { roles: 'operator', cluster: 'mine' },
  'GET /clusters/:cluster/versions/:version': { roles: 'agent operator viewer', cluster: 'mine' },
  'PUT /clusters/:cluster/versions/:version': { roles: 'agent operator', cluster: 'mine' },
  'POST /clusters/:cluster/versions/:version': { roles: 'agent operator', cluster: 'mine' },
  'GET /clusters/:cluster/history': { roles: 'agent operator viewer', cluster: 'mine' },
  'GET /clusters/:cluster/history/:version': { roles: 'agent operator viewer', cluster: 'mine' },
  'GET /clusters/:cluster/diff': { roles: 'agent operator viewer', cluster: 'mine' },
  'GET /clusters/:cluster/marks/:version': { roles: 'agent operator viewer', cluster: 'mine' },
  'GET /clusters/:cluster/writes/:key': { roles: 'agent operator viewer', cluster: 'mine' },
  'PUT /clusters/:cluster/lock/:name': { roles: 'agent operator', cluster: 'mine' },
  'DELETE /clusters/:cluster/lock/:name': { roles: 'agent operator', cluster: 'mine' },
  'GET /clusters/:cluster/placement/:version': { roles: 'agent operator viewer', cluster: 'mine' },
  'PUT /clusters/:cluster/placement/:version': { roles: 'operator', cluster: 'mine' },
  'POST /clusters/:cluster/placement/groups': { roles: 'agent operator', cluster: 'mine' },
  'POST /clusters/:cluster/placement/completeness': { roles: 'agent operator', cluster: 'mine' },
  'POST /clusters/:cluster/placement/truncate': { roles: 'operator', cluster: 'mine' },
  'POST /clusters/:cluster/placement/confirm': { roles: 'agent operator', cluster: 'mine' },
  'POST /clusters/:cluster/placement/adopt': { roles: 'agent operator', cluster: 'mine' },
  'POST /clusters/:cluster/deletes': { roles: 'agent operator', cluster: 'mine' },
  'GET /clusters/:cluster/deletes': { roles: 'agent operator viewer', cluster: 'mine' },
  'PUT /nodes/:cluster/:id/behind/:holder': { roles: 'agent operator', cluster: 'mine' },
  'DELETE /nodes/:cluster/:id/behind/:holder': { roles: 'agent operator', cluster: 'mine' },
  'POST /clusters/:cluster/events': { roles: 'agent operator', cluster: 'mine' },
  'GET /events': { roles: 'agent operator viewer', cluster: 'mine' },
};

const WHO = ['agent', 'operator', 'viewer'].flatMap((role) => [
  role,
  `${role}:mine`,
  `${role}:other`,
]);

describe('access to the API', () => {
  let manager: TestManager;
  let routes: readonly RouteAccess[];
  before(async () => {
    manager = await startTestManager({
      tokens: tokenFile(
        Object.fromEntries(WHO.map((who) => [who, `token of ${who}`.replaceAll(' ', '-')])),
      ),
      limits: { maxAuthFailures: 1_000 },
    });
    routes = manager.app.routeAccess;
  });
  after(() => manager.close());

  const tokenOf = (who: string) => `token-of-${who}`;

  /** The node exists, with our session, before each call. */
  const register = () =>
    manager.app.inject({
      method: 'POST',
      url: '/nodes/mine',
      headers: bearer(tokenOf('operator')),
      payload: { uid: UID, session: SESSION, 'previous-session': SESSION },
    });

  async function statusOf({ method, url }: RouteAccess, headers: Record<string, string>) {
    const path = url
      .replace(':cluster', 'mine')
      .replace(':id', '1')
      .replace(':holder', '1')
      .replace(':version', '0')
      .replace(':key', 'k')
      .replace(':name', 'n');
    const hasBody = ['POST', 'PUT'].includes(method) && !url.includes('/versions/');
    const body = {
      uid: UID,
      session: SESSION,
      holder: UID,
      ttl: 5,
      node: 1,
      kind: 'join',
      text: 't',
    };
    const answer = await manager.app.inject({
      method: method as 'GET',
      url: `${path}?wait=0s&cluster=mine&holder=${UID}`,
      headers: { 'x-clusterflux-session': SESSION, ...headers },
      ...(hasBody ? { payload: body } : {}),
    });
    return answer.statusCode;
  }

  const isRefused = (status: number) => status === 401 || status === 403;

  it('is declared by every route, as the table says', async () => {
    const unknown: string[] = [];
    for (const route of routes) {
      const name = `${route.method} ${route.url}`;
      if (name in EXPECTED) expect(route.access, name).to.not.equal(undefined);
      // Methods that a path does not have say so to everybody, and nothing else.
      else if ((await statusOf(route, {})) !== 405) unknown.push(name);
    }
    expect(unknown).to.deep.equal([]);
  });

  it('is refused with 401 without a token, with a wrong one, and with a header that is none', async () => {
    for (const route of routes) {
      const expected = EXPECTED[`${route.method} ${route.url}`];
      if (expected === undefined) continue;
      for (const headers of [{}, bearer('wrong'), { authorization: 'Basic Zm9vOmJhcg==' }]) {
        const status = await statusOf(route, headers);
        const name = `${route.method} ${route.url} ${JSON.stringify(headers)}`;
        if (expected === 'open') expect(isRefused(status), name).to.equal(false);
        else expect(status, name).to.equal(401);
      }
    }
  });

  it('is given to the roles and clusters of the table, and to nobody else', async () => {
    for (const route of routes) {
      const name = `${route.method} ${route.url}`;
      const expected = EXPECTED[name];
      if (expected === undefined || expected === 'open') continue;
      for (const who of WHO) {
        await register();
        const [role = '', cluster] = who.split(':');
        const isAllowed =
          expected.roles.split(' ').includes(role) &&
          (cluster !== 'other' || expected.cluster === 'any');
        const status = await statusOf(route, bearer(tokenOf(who)));
        expect(isRefused(status), `${name} as ${who}: ${status}`).to.equal(!isAllowed);
      }
    }
  });
});
