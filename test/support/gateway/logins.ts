// Who logs in how, and what he is told: the same asked of the gateway and of the influxd behind it, which has the same users.
import { expect } from 'chai';
import type { ClusterNode } from '../cluster-node.js';
import { eventually } from '../eventually.js';
import { basic } from './auth-deps.js';
import { STATEMENTS } from './statements.js';

export const ADMIN = { u: 'root', p: 'p4ss:word' };

const USERS = { reader: 'READ', writer: 'WRITE', both: 'ALL', nothing: undefined } as const;

interface Login {
  readonly query?: Readonly<Record<string, string>>;
  readonly header?: string;
}

const LOGINS: readonly Login[] = [
  {},
  { query: ADMIN },
  { query: { ...ADMIN, p: 'wrong' } },
  { query: { u: 'root' } },
  { query: { u: 'nobody', p: 'x' } },
  { query: { u: 'reader', p: 'p' } },
  ...[basic('root', 'p4ss:word'), basic('root', 'wrong'), 'Basic !', 'Bearer x', 'Foo bar'].map(
    (header) => ({ header }),
  ),
];

/** Of every kind of answer: nothing asked, not InfluxQL, nothing to run, harmless, and for admins only. */
const TEXTS: readonly string[] = [
  ...['', 'SELEKT 1', ';', 'SHOW DATABASES', 'SHOW MEASUREMENTS'],
  ...['SHOW USERS', 'SELECT * FROM d1..cpu; SHOW GRANTS FOR reader'],
];

const HEADERS = ['content-type', 'www-authenticate', 'x-influxdb-error'];
const WITHIN_MS = 10_000;

/** To be called inside `describe`, for a node on which `ADMIN` may log in. */
export function loginsAgree(place: () => ClusterNode): void {
  before('make users, through the gateway', async () => {
    const node = place();
    const run = async (q: string) => {
      const { status, text } = await ask(node.gatewayUrl, '/query', { query: ADMIN }, { q });
      expect(status, text).to.equal(200);
    };
    await run('CREATE DATABASE d0; CREATE DATABASE d1');
    for (const [user, privilege] of Object.entries(USERS)) {
      await run(`CREATE USER ${user} WITH PASSWORD 'p'`);
      if (privilege !== undefined) await run(`GRANT ${privilege} ON d0 TO ${user}`);
    }
    await eventually(
      async () => (await theSame(node, '/write', login('writer', 'd0'))).ours.status === 204,
      { what: 'points are taken' },
    );
  });

  it('is told the same as by influxd, however he logs in', async () => {
    for (const each of LOGINS) {
      for (const q of TEXTS) {
        const { ours, theirs } = await theSame(place(), '/query', each, { q });
        expect(ours, `${JSON.stringify(each)} ${q}`).to.deep.equal(theirs);
      }
    }
  });

  it('may run and write what influxd lets him', async () => {
    for (const user of Object.keys(USERS)) {
      for (const q of STATEMENTS) {
        const { ours, theirs } = await theSame(place(), '/query', login(user, 'd0'), { q });
        expect(refusalOf(ours), `${user} ${q}`).to.deep.equal(refusalOf(theirs));
      }
      for (const database of ['d0', 'd1', 'none']) {
        const { ours, theirs } = await theSame(place(), '/write', login(user, database));
        expect(ours, `${user} ${database}`).to.deep.equal(theirs);
      }
    }
  });
}

function login(user: string, db: string): Login {
  return { query: { u: user, p: 'p', db } };
}

interface Said {
  readonly status: number;
  readonly text: string;
  readonly headers: readonly (string | null)[];
}

async function theSame(
  node: ClusterNode,
  path: string,
  who: Login,
  form?: Readonly<Record<string, string>>,
): Promise<{ readonly ours: Said; readonly theirs: Said }> {
  const theirs = await ask(node.influxd.url, path, who, form);
  return { theirs, ours: await ask(node.gatewayUrl, path, who, form) };
}

/** What a statement that is allowed comes to is tested elsewhere. */
function refusalOf(said: Said): Said | number {
  return said.status < 400 ? said.status : said;
}

/** Without a form: one point. */
async function ask(
  url: string,
  path: string,
  { query, header }: Login,
  form?: Readonly<Record<string, string>>,
): Promise<Said> {
  const answer = await fetch(`${url}${path}?${new URLSearchParams(query).toString()}`, {
    method: 'POST',
    headers: header === undefined ? {} : { authorization: header },
    body: form === undefined ? 'cpu,host=a value=1' : new URLSearchParams(form),
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  const headers = HEADERS.map((name) => answer.headers.get(name));
  return { status: answer.status, text: await answer.text(), headers };
}
