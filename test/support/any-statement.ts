// Any metadata statement, as an arbitrary: for running the fake and a real influxd side by side.
import fc from 'fast-check';

/** Few names, so that statements meet: objects there already, there no more, there with another value. */
export function anyStatement(): fc.Arbitrary<string> {
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
