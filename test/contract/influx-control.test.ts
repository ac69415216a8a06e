// One suite for the InfluxControl port, run against the fake and against a real influxd.
import { expect } from 'chai';
import fc from 'fast-check';
import type { InfluxControl } from '../../agent/influxd/port.js';
import { quoteIdentifier } from '../../agent/influxd/quote.js';
import { normalisePolicy, refusalOf } from '../../agent/influxd/rules.js';
import * as statements from '../../agent/influxd/statements.js';
import { encodeSnapshot } from '../../shared/meta/codec.js';
import { lineageOf } from '../../shared/meta/lineage.js';
import type { ObjectOf, SchemaObject, ValueOf } from '../../shared/meta/model.js';
import { keyOf } from '../../shared/meta/model.js';
import { emptyData, readSchema } from '../../shared/meta/snapshot.js';
import { fakeServer, realServer, schemaOf, type Server } from '../support/influx-servers.js';

const HOUR = 3_600_000_000_000n;
const DAY = 24n * HOUR;
const WEEK = 7n * DAY;

/** Legal for databases and policies, and a trap for whoever forgets to quote. */
const ODD_NAMES = [
  'plain',
  'with space',
  ' leading',
  'trailing ',
  'dot.in.it',
  'a..b',
  'quote"inside',
  "apostrophe's",
  'select',
  'DEFAULT',
  '1starts-with-digit',
  'semi;colon',
  '--comment',
  'ü ñ 中文',
  '😀',
  '%41',
  '$x{y}[z]',
  'ALL PRIVILEGES',
  'x'.repeat(255),
];
/** Users, continuous queries and subscriptions take nearly everything. */
const ODDER_NAMES = [
  ...ODD_NAMES,
  'back\\slash',
  'end\\',
  'new\nline',
  'a/b',
  '.',
  'tab\there',
  '\u200b',
  '\\n',
  '\\"',
];

function policyValue(value: Partial<ValueOf['policy']> = {}): ValueOf['policy'] {
  return {
    durationNs: 0n,
    shardDurationNs: WEEK,
    replication: 1,
    futureLimitNs: 0n,
    pastLimitNs: 0n,
    ...value,
  };
}

function policyObject(
  path: readonly [string, string],
  value?: Partial<ValueOf['policy']>,
): ObjectOf<'policy'> {
  return { kind: 'policy', path, value: policyValue(value) };
}

function databaseObject(name: string, defaultPolicy = 'autogen'): ObjectOf<'database'> {
  return { kind: 'database', path: [name], value: { defaultPolicy } };
}

async function expectDone(control: InfluxControl, statement: string): Promise<void> {
  expect(await control.execute(statement), statement).to.deep.equal({ kind: 'done' });
}

/** Runs it, and expects exactly this object to be there afterwards. */
async function expectMakes(
  control: InfluxControl,
  statement: string,
  object: SchemaObject,
): Promise<void> {
  await expectDone(control, statement);
  expect((await schemaOf(control)).get(keyOf(object)), statement).to.deep.equal(object);
}

async function expectDrops(control: InfluxControl, object: SchemaObject): Promise<void> {
  await expectDone(control, statements.drop(object));
  expect((await schemaOf(control)).has(keyOf(object))).to.equal(false);
}

async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it was expected to reject'),
    (error: unknown) => error,
  );
}

for (const [kind, makeServer] of [
  ['the fake', fakeServer],
  ['a real influxd', realServer],
] as const) {
  describe(`influx control: ${kind}`, () => {
    let server: Server;
    let control: InfluxControl;
    before(async () => {
      server = await makeServer();
      control = server.control;
    });
    after(() => server.remove());

    it('says its version', async () => {
      expect((await control.ping())?.version).to.match(/^1\./);
    });

    it('creates and drops databases with every odd name, each with exactly the policy that was asked for', async () => {
      for (const name of ODD_NAMES) {
        const database = databaseObject(name, name);
        const policy = policyObject([name, name], {
          durationNs: 30n * DAY,
          shardDurationNs: DAY,
          replication: 2,
        });
        expect(refusalOf(database), name).to.equal(undefined);
        await expectMakes(control, statements.createDatabase(database, policy), policy);
        const objects = [...(await schemaOf(control)).values()].filter(
          ({ path }) => path[0] === name,
        );
        expect(objects).to.deep.equal([database, policy]);
        await expectDrops(control, database);
      }
    });

    it('refuses the names that rules.ts says it refuses', async () => {
      for (const name of [
        '.',
        '..',
        'a/b',
        'back\\slash',
        'tab\t',
        'new\nline',
        '\u200b',
        '\u00a0',
      ]) {
        const database = databaseObject(name);
        expect(refusalOf(database), name).to.be.a('string');
        const result = await control.execute(statements.createDatabase(database));
        expect(result, name).to.deep.equal({ kind: 'refused', text: 'invalid name' });
      }
      const long = databaseObject('ü'.repeat(128));
      expect(refusalOf(long)).to.be.a('string');
      expect((await control.execute(statements.createDatabase(long))).kind).to.equal('refused');
    });

    it('creates policies with odd names, makes one the default, and drops them', async () => {
      await expectDone(control, 'CREATE DATABASE "policies"');
      for (const name of ODD_NAMES) {
        const policy = policyObject(['policies', name], {
          durationNs: 2n * HOUR + 1n,
          shardDurationNs: HOUR,
        });
        await expectMakes(control, statements.createPolicy(policy, { isDefault: false }), policy);
        await expectMakes(
          control,
          statements.setDefaultPolicy(policy.path),
          databaseObject('policies', name),
        );
        await expectDrops(control, policy);
      }
      const policy = policyObject(['policies', 'born default']);
      await expectMakes(control, statements.createPolicy(policy, { isDefault: true }), policy);
      const database = (await schemaOf(control)).get(keyOf(databaseObject('policies')));
      expect(database?.value).to.deep.equal({ defaultPolicy: 'born default' });
    });

    it('creates, keeps verbatim and drops continuous queries with odd names', async () => {
      await expectDone(control, 'CREATE DATABASE "c q"');
      for (const name of ODDER_NAMES) {
        const quoted = /^[a-z]+$/.test(name) && name !== 'select' ? name : quoteIdentifier(name);
        // Already in the form that influxd stores.
        const query = `CREATE CONTINUOUS QUERY ${quoted} ON "c q" RESAMPLE EVERY 30m FOR 2h BEGIN SELECT mean(x) INTO "c q".autogen."a b" FROM "c q".autogen.z WHERE t = 'it\\'s' GROUP BY time(1m, 5s), * fill(5) END`;
        const object: SchemaObject = {
          kind: 'continuous-query',
          path: ['c q', name],
          value: { query },
        };
        expect(refusalOf(object), name).to.equal(undefined);
        await expectMakes(control, statements.createContinuousQuery(object), object);
        await expectMakes(control, statements.createContinuousQuery(object), object);
        await expectDrops(control, object);
      }
    });

    it('creates and drops subscriptions with odd names and destinations', async () => {
      await expectDone(control, 'CREATE DATABASE "s.d"');
      for (const name of ODDER_NAMES) {
        const object: SchemaObject = {
          kind: 'subscription',
          path: ['s.d', 'autogen', name],
          value: {
            mode: 'ANY',
            destinations: ["http://u:p'w@h:1/x?y=z", 'udp://b:2', 'https://c:3'],
          },
        };
        expect(refusalOf(object), name).to.equal(undefined);
        await expectMakes(control, statements.createSubscription(object), object);
        await expectDrops(control, object);
      }
    });

    it('sets the administrator flag, grants, revokes and drops users with odd names', async () => {
      await expectDone(control, 'CREATE DATABASE "priv db"');
      for (const name of ODDER_NAMES) {
        await expectDone(control, `CREATE USER ${quoteIdentifier(name)} WITH PASSWORD 'p'`);
        const user = [...(await schemaOf(control)).values()].find(
          ({ kind }) => kind === 'user',
        ) as ObjectOf<'user'>;
        expect(user.path).to.deep.equal([name]);
        for (const level of [1, 2, 3] as const) {
          const privilege: SchemaObject = {
            kind: 'privilege',
            path: [name, 'priv db'],
            value: { level },
          };
          await expectMakes(control, statements.grant(privilege), privilege);
          if (level === 3) await expectDrops(control, privilege);
        }
        for (const admin of [true, false]) {
          const object: SchemaObject = { ...user, value: { ...user.value, admin } };
          await expectMakes(control, statements.setAdmin(name, admin), object);
        }
        await expectDrops(control, user);
      }
    });

    it('makes of each policy what normalisePolicy foresees, or refuses it as refusalOf says', async () => {
      await expectDone(control, 'CREATE DATABASE "any"');
      let number = 0;
      await fc.assert(
        fc.asyncProperty(anyPolicy(), anyPolicy(), async (first, second) => {
          number += 1;
          const path = ['any', `p${number}`] as const;
          const created = policyObject(path, first);
          const result = await control.execute(
            statements.createPolicy(created, { isDefault: false }),
          );
          expect(result.kind).to.equal(isTaken(first) ? 'done' : 'refused');
          if (!isTaken(first)) return;
          const stands = policyObject(path, normalisePolicy(created.value));
          expect((await schemaOf(control)).get(keyOf(created))).to.deep.equal(stands);
          if (refusalOf(policyObject(path, second)) !== undefined) return;
          const altered = policyObject(path, second);
          const statement = statements.alterPolicy(stands.value, altered);
          if (statement !== undefined) await expectMakes(control, statement, altered);
          await expectDrops(control, altered);
        }),
        { numRuns: 80 },
      );
    });

    it('lists the shards that it has loaded until their database is dropped', async () => {
      await expectDone(control, 'CREATE DATABASE "shards"');
      await server.write('shards', 1n);
      await server.write('shards', 2n);
      await server.write('shards', 1_700_000_000_000_000_000n);
      const shards = (await control.loadedShards()).filter(({ database }) => database === 'shards');
      expect(shards.map(({ policy }) => policy)).to.deep.equal(['autogen', 'autogen']);
      const data = await control.readMemory();
      const groups = lineageOf(data).groups.filter(({ database }) => database === 'shards');
      expect(groups.map(({ startNs }) => startNs)).to.deep.equal([
        '-259200000000000',
        '1699833600000000000',
      ]);
      expect(groups.flatMap((group) => group.shards).sort()).to.deep.equal(
        shards.map(({ id }) => id.toString()).sort(),
      );
      await expectDone(control, 'DROP DATABASE "shards"');
      expect(
        (await control.loadedShards()).filter(({ database }) => database === 'shards'),
      ).to.deep.equal([]);
    });

    it('has in meta.db what it has in memory', async () => {
      await expectDone(control, 'CREATE DATABASE "in file"');
      const file = await control.readFile();
      expect(file.kind).to.equal('found');
      if (file.kind === 'found')
        expect(lineageOf(file.data)).to.deep.equal(lineageOf(await control.readMemory()));
    });

    it('names its monitoring database', async () => {
      expect(await control.internalDatabase()).to.equal('_internal');
    });

    it('passes on the refusal text of influxd', async () => {
      expect(
        await control.execute(
          'CREATE RETENTION POLICY "r" ON "nowhere" DURATION INF REPLICATION 1',
        ),
      ).to.deep.equal({
        kind: 'refused',
        text: 'database not found: nowhere',
      });
      const result = await control.execute('CREATE NONSENSE');
      expect(result.kind === 'refused' && result.text).to.match(/^error parsing query: /);
    });

    it('stops at once when the caller gives up', async () => {
      const error = await rejectionOf(control.readMemory(AbortSignal.abort()));
      expect(error).to.have.property('code', 'aborted');
      expect(
        await rejectionOf(control.execute('SHOW DATABASES', AbortSignal.abort())),
      ).to.have.property('code', 'aborted');
    });

    it('is unreachable while down, and answers again after a start with the same metadata', async () => {
      await expectDone(control, 'CREATE DATABASE "survives"');
      const before = lineageOf(await control.readMemory());
      await server.kill();
      expect(await control.ping()).to.equal(undefined);
      for (const call of [
        control.readMemory(),
        control.execute('CREATE DATABASE "nobody hears"'),
        control.loadedShards(),
        control.internalDatabase(),
      ]) {
        expect(await rejectionOf(call)).to.include({
          code: 'influxd-unreachable',
          retryable: true,
        });
      }
      expect((await control.readFile()).kind).to.equal('found');
      await server.start();
      expect(lineageOf(await control.readMemory())).to.deep.equal(before);
    });

    it('starts with an empty schema and its old shards when meta.db is gone', async () => {
      const own = await makeServer();
      try {
        await expectDone(own.control, 'CREATE DATABASE "left behind"');
        await own.write('left behind', 1n);
        const before = await own.control.readMemory();
        const loaded = async () =>
          (await own.control.loadedShards()).map(({ id, database, policy }) => [
            id,
            database,
            policy,
          ]);
        const shards = await loaded();
        expect(shards).to.deep.equal([[1n, 'left behind', 'autogen']]);
        await own.kill();
        await own.putFile(undefined);
        expect((await own.control.readFile()).kind).to.equal('missing');
        await own.start();
        const data = await own.control.readMemory();
        expect(readSchema(data).size).to.equal(0);
        expect(data.Index).to.equal(1n);
        expect(data.ClusterID).not.to.equal(before.ClusterID);
        expect(await loaded()).to.deep.equal(shards);
        // The next new shard group gets the number of the old shard, and with it its directory.
        await expectDone(own.control, 'CREATE DATABASE "mixed up"');
        await own.write('mixed up', 1n);
        expect(await loaded()).to.deep.equal(shards);
      } finally {
        await own.remove();
      }
    });

    it('does not notice a meta.db that is replaced while it runs, and overwrites it', async () => {
      const foreign = encodeSnapshot({ ...emptyData(), Index: 99n, ClusterID: 7n });
      await server.putFile(foreign);
      expect((await control.readMemory()).ClusterID).not.to.equal(7n);
      const file = await control.readFile();
      expect(file.kind === 'found' && file.data.ClusterID).to.equal(7n);
      await expectDone(control, 'CREATE DATABASE "overwrites"');
      const after = await control.readFile();
      expect(after.kind === 'found' && after.data.ClusterID).to.equal(
        (await control.readMemory()).ClusterID,
      );
    });

    it('says why a meta.db is none', async () => {
      await server.kill();
      for (const bytes of [
        Buffer.alloc(0),
        Buffer.from('garbage'),
        encodeSnapshot(emptyData()).subarray(0, 5),
      ]) {
        await server.putFile(bytes);
        const file = await control.readFile();
        expect(file.kind).to.equal('invalid');
      }
      await server.putFile(undefined);
      await server.start();
    });
  });
}

function anyDuration(): fc.Arbitrary<bigint> {
  return fc.oneof(
    fc.constantFrom(
      0n,
      1n,
      HOUR - 1n,
      HOUR,
      HOUR + 1n,
      90n * 60n * 1_000_000_000n,
      DAY,
      2n * DAY,
      2n * DAY - 1n,
      WEEK,
    ),
    fc.constantFrom(180n * DAY, 180n * DAY - 1n, 365n * DAY, 9_223_372_036_854_775_807n),
    fc.bigInt({ min: HOUR, max: 400n * DAY }),
  );
}

function anyPolicy(): fc.Arbitrary<ValueOf['policy']> {
  return fc
    .record({
      durationNs: anyDuration(),
      shardDurationNs: anyDuration(),
      replication: fc.constantFrom(0, 1, 1, 2, 2, 3, 2_147_483_647, 2_147_483_648),
    })
    .map(policyValue);
}

/** Taken by a statement, perhaps with another shard duration than asked for. */
function isTaken(value: ValueOf['policy']): boolean {
  return refusalOf(policyObject(['any', 'p'], normalisePolicy(value))) === undefined;
}
