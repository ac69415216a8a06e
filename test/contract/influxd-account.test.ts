// The agent's account at a real influxd with authentication: by password and by token, with the right secret and without.
import { expect } from 'chai';
import { createHttpClient, type InfluxHttpClient } from '../../agent/influxd/http-client.js';
import type { InfluxdAccount } from '../../agent/influxd/account.js';
import { startInfluxd, type TestInfluxd } from '../support/influxd.js';

const SHARED = 'the shared secret of influxd';
const PASSWORD = 'p4ssword';
/** Odd, because it goes into a header, and legal for influxd. */
const ADMIN = 'root ü';

describe("the agent's account at influxd", function () {
  this.timeout(30_000);
  let influxd: TestInfluxd;
  const clients: InfluxHttpClient[] = [];
  before(async () => {
    const config = { http: { 'shared-secret': SHARED } };
    influxd = await startInfluxd({ authEnabled: true, config });
    const root = { params: { u: ADMIN, p: PASSWORD } };
    await influxd.query(`CREATE USER "${ADMIN}" WITH PASSWORD '${PASSWORD}' WITH ALL PRIVILEGES`);
    await influxd.query(`CREATE USER "weak" WITH PASSWORD '${PASSWORD}'`, root);
  });
  after(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await influxd.remove();
  });

  const clientOf = (account: InfluxdAccount) => {
    const client = createHttpClient({ url: influxd.url, ...account });
    clients.push(client);
    return client;
  };
  const password = () => PASSWORD;
  const jwtSecret = () => SHARED;

  for (const [how, account] of [
    ['a password', { username: ADMIN, password }],
    ['a token', { username: ADMIN, jwtSecret }],
  ] as const) {
    it(`is taken with ${how}`, async () => {
      const answer = await clientOf(account).query('SHOW DIAGNOSTICS');
      expect(answer.kind).to.equal('done');
    });
  }

  for (const [what, account, words] of [
    ['no account', {}, /asks who it is, and no account is configured/],
    ['a wrong password', { username: ADMIN, password: () => 'wr0ng' }, /refuses .*password-file/],
    ['an account that is not there', { username: 'no', password }, /refuses .*"no"/],
    ['one that is no administrator', { username: 'weak', password }, /GRANT ALL PRIVILEGES TO/],
    ['a token of another secret', { username: ADMIN, jwtSecret: () => 'x' }, /shared-secret/],
    ['a token for nobody', { username: 'no', jwtSecret }, /refuses the token .*"no"/],
    ['a token for no administrator', { username: 'weak', jwtSecret }, /GRANT ALL PRIVILEGES TO/],
  ] as const) {
    it(`with ${what} is an error in words, without the secret`, async () => {
      const error = await clientOf(account)
        .query('SHOW DIAGNOSTICS')
        .catch((thrown: unknown) => thrown);
      expect(error).to.have.property('code', 'unauthorized');
      expect(error)
        .to.have.property('message')
        .that.matches(words)
        .and.not.match(/p4ssword|wr0ng|the shared secret/);
    });
  }
});
