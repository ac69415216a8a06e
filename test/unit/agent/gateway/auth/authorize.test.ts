// Who may run and write what, and in which words influxd refuses.
import { expect } from 'chai';
import { authorize, authorizeWrite, mayList } from '../../../../../agent/gateway/auth/authorize.js';
import { ANYBODY, callerOf, NOBODY } from '../../../../../agent/gateway/auth/callers.js';
import type { Privilege } from '../../../../../agent/gateway/metadata/port.js';
import type {
  RequiredPrivilege,
  Statement,
} from '../../../../../shared/influx/influxql/statement.js';

const caller = (privileges: Record<string, Privilege>, isAdmin = false) =>
  callerOf({ name: 'u', hash: '', isAdmin, privileges: new Map(Object.entries(privileges)) });
const accepted = (...args: Parameters<typeof caller>) =>
  ({ kind: 'accepted', caller: caller(...args) }) as const;
const bootstrap = { kind: 'bootstrap', caller: NOBODY } as const;

const needs = (level: RequiredPrivilege['level'], database = '', isAdmin = false) => ({
  isAdmin,
  database,
  level,
});
const statement = (text: string, ...privileges: RequiredPrivilege[]): Statement => ({
  kind: 'show-metadata',
  what: 'databases',
  database: '',
  text,
  privileges,
});
const createUser = (isAdmin: boolean): Statement => ({
  kind: 'user',
  what: 'create',
  user: 'a',
  isAdmin,
  text: '',
  privileges: [needs('ALL', '', true)],
});
const options = { database: 'd', hasUsers: true };
const refusal = 'error authorizing query: u not authorized to execute statement';

describe('what a caller may do', () => {
  it('follows the privilege that he has on the database, ALL being both', () => {
    const read = statement('SHOW SERIES', needs('READ'));
    const write = statement('DELETE FROM m', needs('WRITE'));
    const may = (privilege: Privilege, of: Statement) =>
      authorize([of], accepted({ d: privilege }), options) === undefined;
    expect([may('READ', read), may('READ', write)]).to.deep.equal([true, false]);
    expect([may('WRITE', read), may('WRITE', write)]).to.deep.equal([false, true]);
    expect([may('ALL', read), may('ALL', write)]).to.deep.equal([true, true]);
  });

  it("is said in influxd's words, for the first statement and privilege that is missing", () => {
    const both = statement('select * into e..x from d..y', needs('READ'), needs('WRITE', 'e'));
    const statements = [statement('SHOW DATABASES', needs('none')), both];
    expect(authorize(statements, accepted({ d: 'READ' }), options)).to.equal(
      `${refusal} 'SELECT * INTO e..x FROM d..y', requires WRITE on e`,
    );
    expect(authorize(statements, accepted({ e: 'WRITE' }), options)).to.equal(
      `${refusal} 'SELECT * INTO e..x FROM d..y', requires READ on d`,
    );
    const admins = statement('SHOW USERS', needs('ALL', '', true));
    expect(authorize([admins], accepted({ d: 'ALL' }), options)).to.equal(
      `${refusal} 'SHOW USERS', requires admin privilege`,
    );
  });

  it('is everything for an admin, and where nobody is asked', () => {
    const admins = [statement('SHOW USERS', needs('ALL', '', true))];
    expect(authorize(admins, accepted({}, true), options)).to.equal(undefined);
    const anybody = { kind: 'accepted', caller: ANYBODY } as const;
    expect(authorize(admins, anybody, options)).to.equal(undefined);
    expect(authorizeWrite(anybody, 'd')).to.equal(undefined);
  });

  it('is to make the first admin where there is no user, and nothing where there are only others', () => {
    const none = { database: '', hasUsers: false };
    const first = 'error authorizing query: create admin user first or disable authentication';
    expect(authorize([createUser(true)], bootstrap, none)).to.equal(undefined);
    expect(authorize([createUser(false)], bootstrap, none)).to.equal(first);
    expect(authorize([statement('SHOW USERS')], bootstrap, none)).to.equal(first);
    expect(authorize([], bootstrap, none)).to.equal(first);
    expect(authorize([createUser(true)], bootstrap, options)).to.equal(
      'error authorizing query: no user provided',
    );
  });

  it('is to write where he has WRITE', () => {
    expect(authorizeWrite(accepted({ d: 'WRITE' }), 'd')).to.equal(undefined);
    expect(authorizeWrite(accepted({ d: 'READ' }), 'd')).to.equal(
      '"u" user is not authorized to write to database "d"',
    );
    expect(authorizeWrite(bootstrap, 'd')).to.equal('user is required to write to database "d"');
  });

  it('is to see the databases that he may read or write', () => {
    const seen = ['r', 'w', 'a', 'n'].filter((name) =>
      mayList(caller({ r: 'READ', w: 'WRITE', a: 'ALL' }), name),
    );
    expect(seen).to.deep.equal(['r', 'w', 'a']);
  });
});
