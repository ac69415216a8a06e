// One suite for the InfluxControl port, run against the fake and against a real influxd; then the two side by side, so that
// whatever is tested on the fake holds for the real one.
import { writeFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { FakeInflux } from '../../agent/influxd/fake-influx.js';
import { createInfluxControl } from '../../agent/influxd/influx-control.js';
import type { InfluxControl } from '../../agent/influxd/port.js';
import { quoteIdentifier } from '../../agent/influxd/quote.js';
import { normalisePolicy, refusalOf } from '../../agent/influxd/rules.js';
import * as statements from '../../agent/influxd/statements.js';
import { parseAddress } from '../../shared/config/address.js';
import { encodeSnapshot } from '../../shared/meta/codec.js';
import { lineageOf } from '../../shared/meta/lineage.js';
import type { ObjectOf, Schema, SchemaObject, ValueOf } from '../../shared/meta/model.js';
import { keyOf } from '../../shared/meta/model.js';
import { emptyData, readSchema } from '../../shared/meta/snapshot.js';
import type { TestInfluxd } from '../support/influxd.js';
import { startInfluxd } from '../support/influxd.js';

/** A server under test: the port, and what people and the system do to the server. */
interface Server {
  readonly control: InfluxControl;
  write(database: string, timeNs: bigint): Promise<void>;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Puts another meta.db in place, or none. */
  putFile(bytes: Uint8Array | undefined): Promise<void>;
  remove(): Promise<void>;
}

async function fakeServer(): Promise<Server> {
  const control = new FakeInflux();
  return {
    control,
    write: async (database, timeNs) => {
      control.write(database, undefined, timeNs);
    },
    kill: async () => {
      control.kill();
    },
    start: async () => {
      control.start();
    },
    putFile: async (bytes) => {
      control.replaceFile(bytes);
    },
    remove: () => control.close(),
  };
}

async function realServer(): Promise<Server> {
  const influxd = await startInfluxd();
  const control = controlOf(influxd);
  const file = join(influxd.metaDir, 'meta.db');
  return {
    control,
    write: (database, timeNs) => influxd.write(database, `m f=1 ${timeNs.toString()}`),
    kill: () => influxd.kill9(),
    start: () => influxd.start(),
    putFile: (bytes) => (bytes === undefined ? rm(file) : writeFile(file, bytes)),
    remove: async () => {
      await control.close();
      await influxd.remove();
    },
  };
}

function controlOf(influxd: TestInfluxd): InfluxControl {
  const { url, metaDir } = influxd;
  return createInfluxControl({
    url,
    metaDir,
    snapshotAddress: parseAddress(influxd.snapshotAddress)!,
  });
}

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

async function schemaOf(control: InfluxControl): Promise<Schema> {
  return readSchema(await control.readMemory());
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
        const shards = await own.control.loadedShards();
        expect(shards).to.deep.equal([{ id: 1n, database: 'left behind', policy: 'autogen' }]);
        await own.kill();
        await own.putFile(undefined);
        expect((await own.control.readFile()).kind).to.equal('missing');
        await own.start();
        const data = await own.control.readMemory();
        expect(readSchema(data).size).to.equal(0);
        expect(data.Index).to.equal(1n);
        expect(data.ClusterID).not.to.equal(before.ClusterID);
        expect(await own.control.loadedShards()).to.deep.equal(shards);
        // The next new shard group gets the number of the old shard, and with it its directory.
        await expectDone(own.control, 'CREATE DATABASE "mixed up"');
        await own.write('mixed up', 1n);
        expect(await own.control.loadedShards()).to.deep.equal(shards);
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

describe('influx control: the fake beside a real influxd', () => {
  let real: Server;
  before(async () => {
    real = await realServer();
  });
  after(() => real.remove());

  it('gives the same answers, the same schema and the same Index steps for any statements', async function () {
    this.timeout(40_000);
    const fake = await fakeServer();
    let last = await indexes(fake, real);
    await fc.assert(
      fc.asyncProperty(fc.array(anyStatement(), { minLength: 8, maxLength: 8 }), async (texts) => {
        for (const text of texts) {
          const [a, b] = [await fake.control.execute(text), await real.control.execute(text)];
          expect(a, `fake, ${text}`).to.deep.equal(b);
          const now = await indexes(fake, real);
          expect(now.fake - last.fake, `Index of the fake after ${text}`).to.equal(
            now.real - last.real,
          );
          last = now;
        }
        expect(comparable(await schemaOf(fake.control))).to.deep.equal(
          comparable(await schemaOf(real.control)),
        );
      }),
      { numRuns: 60, seed: 1, endOnFailure: true },
    );
  });
});

async function indexes(fake: Server, real: Server): Promise<{ fake: bigint; real: bigint }> {
  return {
    fake: (await fake.control.readMemory()).Index,
    real: (await real.control.readMemory()).Index,
  };
}

/** Password hashes have salts; everything else must be equal. */
function comparable(schema: Schema): [string, unknown][] {
  return [...schema]
    .map(([key, { kind, value }]): [string, unknown] => [
      key,
      kind === 'user' ? { ...value, hash: '' } : value,
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1));
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

/** Few names, so that statements meet: objects there already, there no more, there with another value. */
function anyStatement(): fc.Arbitrary<string> {
  const database = fc.constantFrom('"d1"', '"d 2"', '"nope"');
  const policy = fc.constantFrom('"autogen"', '"p.1"', '"p2"');
  const user = fc.constantFrom('"u1"', '"u\\n2"');
  const duration = fc.constantFrom('INF', '1h', '2h', '90m', '30m', '3d', '52w', '0s');
  const clauses = fc.constantFrom(
    'REPLICATION 1',
    'REPLICATION 2',
    'REPLICATION 1 SHARD DURATION 1h',
    'REPLICATION 1 SHARD DURATION 30m',
    'REPLICATION 3 SHARD DURATION 2d',
  );
  const flag = fc.constantFrom('', ' DEFAULT');
  const text = (parts: readonly (fc.Arbitrary<string> | string)[]) =>
    fc
      .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)))
      .map((each) => each.join(''));
  return fc.oneof(
    text(['CREATE DATABASE ', database]),
    text([
      'CREATE DATABASE ',
      database,
      ' WITH DURATION ',
      duration,
      ' ',
      clauses,
      ' NAME ',
      policy,
    ]),
    text(['DROP DATABASE ', database]),
    text([
      'CREATE RETENTION POLICY ',
      policy,
      ' ON ',
      database,
      ' DURATION ',
      duration,
      ' ',
      clauses,
      flag,
    ]),
    text(['ALTER RETENTION POLICY ', policy, ' ON ', database, ' DURATION ', duration, flag]),
    text(['ALTER RETENTION POLICY ', policy, ' ON ', database, ' ', clauses]),
    text(['ALTER RETENTION POLICY ', policy, ' ON ', database, ' DEFAULT']),
    text(['DROP RETENTION POLICY ', policy, ' ON ', database]),
    text([
      'CREATE CONTINUOUS QUERY "q!" ON "d 2" BEGIN SELECT ',
      fc.constantFrom('max', 'mean'),
      '(x) INTO "d 2".p2.m FROM "d 2".autogen.m GROUP BY time(1m) END',
    ]),
    text(['DROP CONTINUOUS QUERY "q!" ON ', database]),
    text(['CREATE SUBSCRIPTION "s" ON ', database, '.', policy, " DESTINATIONS ALL 'http://h:1'"]),
    text(['CREATE SUBSCRIPTION "s" ON ', database, '.', policy, " DESTINATIONS ANY 'http://h'"]),
    text(['DROP SUBSCRIPTION "s" ON ', database, '.', policy]),
    text([
      'CREATE USER ',
      user,
      " WITH PASSWORD '",
      fc.constantFrom('p', 'q'),
      "'",
      fc.constantFrom('', ' WITH ALL PRIVILEGES'),
    ]),
    text(['SET PASSWORD FOR ', user, " = 'p'"]),
    text(['GRANT ', fc.constantFrom('READ', 'WRITE', 'ALL'), ' ON ', database, ' TO ', user]),
    text(['REVOKE ALL ON ', database, ' FROM ', user]),
    text(['GRANT ALL PRIVILEGES TO ', user]),
    text(['REVOKE ALL PRIVILEGES FROM ', user]),
    text(['DROP USER ', user]),
  );
}
