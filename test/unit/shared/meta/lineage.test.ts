import { expect } from 'chai';
import { FakeInflux } from '../../../../agent/influxd/fake-influx.js';
import { decodeSnapshot } from '../../../../shared/meta/codec.js';
import { lineageBreak, lineageOf } from '../../../../shared/meta/lineage.js';

const DAY_NS = 86_400_000_000_000n;

function server(): FakeInflux {
  const influx = new FakeInflux();
  influx.run('CREATE DATABASE "a"');
  influx.run('CREATE DATABASE "b"');
  influx.write('a', undefined, 20_000n * DAY_NS);
  return influx;
}

describe('lineage', () => {
  it('follows a server through everything that it does by itself', () => {
    const influx = server();
    let before = lineageOf(influx.data);
    const steps = [
      () => influx.run('CREATE DATABASE "c"'),
      () => influx.write('b', undefined, 20_000n * DAY_NS),
      () => influx.run('DROP DATABASE "a"'),
      () => influx.expire(2n, 1n),
      () => influx.restart(),
      () => influx.run('ALTER RETENTION POLICY "autogen" ON "b" DURATION 30d'),
    ];
    for (const step of steps) {
      step();
      const now = lineageOf(influx.data);
      expect(lineageBreak(before, now)).to.equal(undefined);
      before = now;
    }
  });

  const older = server();
  const backup = older.fileBytes()!;
  older.run('CREATE DATABASE "later"');
  older.write('later', undefined, 20_000n * DAY_NS);
  const seen = lineageOf(older.data);

  const breaks: [string, () => FakeInflux, RegExp][] = [
    ['another server', () => server(), /another server's metadata/],
    ['a fresh file', () => new FakeInflux(), /another server's metadata/],
    ['an older file', () => new FakeInflux({ file: backup }), /went back from/],
    [
      'an older file that was used until its Index passed the old one',
      () => usedBackup(backup),
      /MaxShardGroupID went back|listed under/,
    ],
    ['a fork with an equal Index', () => fork(older, backup), /a fork/],
  ];
  for (const [what, make, expected] of breaks) {
    it(`breaks with ${what}`, () => {
      expect(lineageBreak(seen, lineageOf(make().data))).to.match(expected);
    });
  }

  it('is the same for two prints of equal content: influxd writes privileges in random order', () => {
    const influx = server();
    influx.run(`CREATE USER "u" WITH PASSWORD 'p'`);
    influx.run('GRANT READ ON "a" TO "u"');
    influx.run('GRANT READ ON "b" TO "u"');
    const data = decodeSnapshot(influx.fileBytes()!);
    data.Users[0]!.Privileges.reverse();
    expect(lineageOf(data).content).to.equal(lineageOf(influx.data).content);
  });
});

/** Enough statements that change nothing for Index to pass what was seen. */
function usedBackup(backup: Uint8Array): FakeInflux {
  const influx = new FakeInflux({ file: backup });
  for (let count = 0; count < 20; count += 1) {
    influx.run('ALTER RETENTION POLICY "autogen" ON "a" REPLICATION 1');
  }
  return influx;
}

function fork(original: FakeInflux, backup: Uint8Array): FakeInflux {
  const influx = new FakeInflux({ file: backup });
  while (influx.data.Index < original.data.Index) {
    influx.run(`CREATE DATABASE "other ${influx.data.Index}"`);
  }
  return influx;
}
