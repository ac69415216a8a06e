import { expect } from 'chai';
import * as statements from '../../../../agent/influxd/statements.js';
import type { ObjectOf, SchemaObject, ValueOf } from '../../../../shared/meta/model.js';

const DAY = 86_400_000_000_000n;
const value: ValueOf['policy'] = {
  durationNs: 30n * DAY,
  shardDurationNs: DAY,
  replication: 2,
  futureLimitNs: 0n,
  pastLimitNs: 0n,
};
const policy: ObjectOf<'policy'> = { kind: 'policy', path: ['d b', 'r"p'], value };
const database: ObjectOf<'database'> = {
  kind: 'database',
  path: ['d b'],
  value: { defaultPolicy: 'r"p' },
};
const subscription: ObjectOf<'subscription'> = {
  kind: 'subscription',
  path: ['d b', 'r"p', 's\n'],
  value: { mode: 'ANY', destinations: ["http://u:p'w@h:1", 'udp://h:2'] },
};
const privilege: ObjectOf<'privilege'> = {
  kind: 'privilege',
  path: ['u"1', 'd b'],
  value: { level: 2 },
};

describe('statements', () => {
  it('creates a database with its one policy, or plain', () => {
    expect(statements.createDatabase(database, policy)).to.equal(
      'CREATE DATABASE "d b" WITH DURATION 30d REPLICATION 2 SHARD DURATION 1d NAME "r\\"p"',
    );
    expect(statements.createDatabase(database)).to.equal('CREATE DATABASE "d b"');
  });

  it('creates a policy, as the default or not, and makes one the default', () => {
    const create =
      'CREATE RETENTION POLICY "r\\"p" ON "d b" DURATION 30d REPLICATION 2 SHARD DURATION 1d';
    expect(statements.createPolicy(policy, { isDefault: false })).to.equal(create);
    expect(statements.createPolicy(policy, { isDefault: true })).to.equal(`${create} DEFAULT`);
    expect(statements.setDefaultPolicy(policy.path)).to.equal(
      'ALTER RETENTION POLICY "r\\"p" ON "d b" DEFAULT',
    );
  });

  it('writes limits for servers that have them, and leaves an open shard duration to influxd', () => {
    const limited = {
      ...policy,
      value: { ...value, shardDurationNs: 0n, futureLimitNs: DAY, pastLimitNs: 2n * DAY },
    };
    expect(statements.createPolicy(limited, { isDefault: false })).to.equal(
      'CREATE RETENTION POLICY "r\\"p" ON "d b" DURATION 30d REPLICATION 2 FUTURE LIMIT 1d PAST LIMIT 2d',
    );
    expect(
      statements.alterPolicy(limited.value, {
        ...limited,
        value: { ...limited.value, pastLimitNs: 0n },
      }),
    ).to.equal('ALTER RETENTION POLICY "r\\"p" ON "d b" PAST LIMIT 0s');
  });

  it('alters all changed fields in one statement, and nothing else', () => {
    const alter = (after: Partial<ValueOf['policy']>) =>
      statements.alterPolicy(value, { ...policy, value: { ...value, ...after } });
    expect(alter({})).to.equal(undefined);
    expect(alter({ durationNs: 0n })).to.equal(
      'ALTER RETENTION POLICY "r\\"p" ON "d b" DURATION INF',
    );
    expect(alter({ replication: 3, shardDurationNs: 2n * DAY, durationNs: 14n * DAY })).to.equal(
      'ALTER RETENTION POLICY "r\\"p" ON "d b" DURATION 2w REPLICATION 3 SHARD DURATION 2d',
    );
  });

  it('runs the text of a continuous query as it is', () => {
    const query =
      'CREATE CONTINUOUS QUERY cq ON "d b" BEGIN SELECT mean(x) INTO "d b".r.y FROM "d b".r.x GROUP BY time(1m) END';
    const object: SchemaObject = {
      kind: 'continuous-query',
      path: ['d b', 'cq'],
      value: { query },
    };
    expect(statements.createContinuousQuery(object)).to.equal(query);
  });

  it('creates subscriptions, grants, and sets the administrator flag', () => {
    expect(statements.createSubscription(subscription)).to.equal(
      `CREATE SUBSCRIPTION "s\\n" ON "d b"."r\\"p" DESTINATIONS ANY 'http://u:p\\'w@h:1', 'udp://h:2'`,
    );
    expect(statements.grant(privilege)).to.equal('GRANT WRITE ON "d b" TO "u\\"1"');
    expect(statements.setAdmin('u"1', true)).to.equal('GRANT ALL PRIVILEGES TO "u\\"1"');
    expect(statements.setAdmin('u"1', false)).to.equal('REVOKE ALL PRIVILEGES FROM "u\\"1"');
  });

  it('drops one object of each kind', () => {
    const drops: [SchemaObject, string][] = [
      [database, 'DROP DATABASE "d b"'],
      [policy, 'DROP RETENTION POLICY "r\\"p" ON "d b"'],
      [subscription, 'DROP SUBSCRIPTION "s\\n" ON "d b"."r\\"p"'],
      [
        { kind: 'continuous-query', path: ['d b', 'c'], value: { query: '' } },
        'DROP CONTINUOUS QUERY "c" ON "d b"',
      ],
      [{ kind: 'user', path: ['u'], value: { hash: '', admin: true } }, 'DROP USER "u"'],
      [privilege, 'REVOKE ALL ON "d b" FROM "u\\"1"'],
    ];
    for (const [object, text] of drops) expect(statements.drop(object)).to.equal(text);
  });

  it("never builds a statement around a name that it can't quote", () => {
    expect(() => statements.drop({ kind: 'database', path: ['a\0"; DROP DATABASE b'] })).to.throw(
      /NUL/,
    );
  });
});
