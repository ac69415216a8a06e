import { expect } from 'chai';
import { normalisePolicy, refusalOf } from '../../../../agent/influxd/rules.js';
import type { SchemaObject, ValueOf } from '../../../../shared/meta/model.js';

const HOUR = 3_600_000_000_000n;
const DAY = 24n * HOUR;

function policy(value: Partial<ValueOf['policy']>, name = 'r'): SchemaObject {
  return {
    kind: 'policy',
    path: ['d', name],
    value: {
      durationNs: 0n,
      shardDurationNs: 7n * DAY,
      replication: 1,
      futureLimitNs: 0n,
      pastLimitNs: 0n,
      ...value,
    },
  };
}

function query(text: string): SchemaObject {
  return { kind: 'continuous-query', path: ['d', 'q'], value: { query: text } };
}

describe("influxd's rules", () => {
  it('foresees the shard duration that influxd gives', () => {
    const cases: [durationNs: bigint, asked: bigint, given: bigint][] = [
      [0n, 0n, 7n * DAY],
      [180n * DAY, 0n, 7n * DAY],
      [180n * DAY - 1n, 0n, DAY],
      [2n * DAY, 0n, DAY],
      [2n * DAY - 1n, 0n, HOUR],
      [DAY, 1n, HOUR],
      [DAY, HOUR + 1n, HOUR + 1n],
    ];
    for (const [durationNs, asked, given] of cases) {
      const value = {
        durationNs,
        shardDurationNs: asked,
        replication: 1,
        futureLimitNs: 0n,
        pastLimitNs: 0n,
      };
      expect(normalisePolicy(value).shardDurationNs, `${durationNs} ${asked}`).to.equal(given);
    }
  });

  for (const [what, object, why] of [
    [
      'a duration below an hour',
      policy({ durationNs: HOUR - 1n, shardDurationNs: HOUR }),
      /below 1h/,
    ],
    ['a shard duration below an hour', policy({ shardDurationNs: HOUR - 1n }), /one of its own/],
    ['an open shard duration', policy({ shardDurationNs: 0n }), /one of its own/],
    [
      'a duration shorter than its shards',
      policy({ durationNs: 2n * HOUR, shardDurationNs: 3n * HOUR }),
      /shorter/,
    ],
    ['a negative duration', policy({ durationNs: -1n }), /negative/],
    ['replication 0', policy({ replication: 0 }), /replication/],
    ['write limits', policy({ pastLimitNs: HOUR }), /1\.12/],
    ['a slash in a policy', policy({}, 'a/b'), /slashes/],
    ['an empty name', policy({}, ''), /empty/],
    ['a control character', policy({}, 'a\tb'), /printable/],
    [
      'a user',
      { kind: 'user', path: ['u'], value: { hash: '$2a$10$x', admin: true } },
      /password hash/,
    ],
    [
      'a database without default',
      { kind: 'database', path: ['d'], value: { defaultPolicy: '' } },
      /default policy/,
    ],
    [
      'an unknown mode',
      {
        kind: 'subscription',
        path: ['d', 'r', 's'],
        value: { mode: 'SOME', destinations: ['udp://h:1'] },
      },
      /SOME/,
    ],
    [
      'no destination',
      { kind: 'subscription', path: ['d', 'r', 's'], value: { mode: 'ALL', destinations: [] } },
      /no destination/,
    ],
    ['another statement in a query', query('DROP DATABASE d'), /no CREATE CONTINUOUS QUERY/],
    [
      'a second statement in a query',
      query('CREATE CONTINUOUS QUERY q ON d BEGIN SELECT x END; DROP DATABASE d'),
      /second statement/,
    ],
    [
      'one hidden by a regular expression',
      query("CREATE CONTINUOUS QUERY q ON d BEGIN SELECT x FROM /'/ END; DROP DATABASE d --'"),
      /second statement/,
    ],
    [
      'a query of another name',
      query('CREATE CONTINUOUS QUERY p ON d BEGIN SELECT x END'),
      /names another/,
    ],
    [
      'a query of another database',
      query('CREATE CONTINUOUS QUERY q ON "d2" BEGIN SELECT x END'),
      /names another/,
    ],
  ] as const satisfies readonly (readonly [string, SchemaObject, RegExp])[]) {
    it(`says that no statement sets ${what}`, () => {
      expect(refusalOf(object)).to.match(why);
      expect(refusalOf(object)).to.contain(JSON.stringify(object.path.at(-1)));
    });
  }

  it('takes write limits from 1.12 on', () => {
    const limited = policy({ futureLimitNs: HOUR });
    for (const serverVersion of ['1.12.0', 'v1.12.4', '1.13.0'])
      expect(refusalOf(limited, { serverVersion })).to.equal(undefined);
    for (const serverVersion of ['1.11.8', '1.6.7~rc0', 'unknown', '2.7.0']) {
      expect(refusalOf(limited, { serverVersion }), serverVersion).to.be.a('string');
    }
  });

  it('takes ordinary objects, and a semicolon inside quotes', () => {
    expect(refusalOf(policy({ durationNs: HOUR, shardDurationNs: HOUR }))).to.equal(undefined);
    expect(
      refusalOf(query('CREATE CONTINUOUS QUERY "q" ON d BEGIN SELECT x AS "a;b" END')),
    ).to.equal(undefined);
    expect(refusalOf({ kind: 'privilege', path: ['u', 'd'], value: { level: 1 } })).to.equal(
      undefined,
    );
  });
});
