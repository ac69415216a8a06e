// What an owner does with batches and reads before its influxd is asked: whom it believes, and what it refuses.
import { Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { expect } from 'chai';
import type { LocalOwnerDeps } from '../../../../../agent/gateway/owner/local-owner.js';
import type { Batch } from '../../../../../agent/gateway/owner/port.js';
import type { DataWrite } from '../../../../../agent/influxd/data-client.js';
import { AppError } from '../../../../../shared/errors/app-error.js';
import { fakeClock } from '../../../../../shared/lifecycle/clock.js';
import type { OwnerWorld } from '../../../../support/gateway/local-owner.js';
import {
  batchOf,
  groupOf,
  metadataOf,
  ownerOn,
  placementOf,
  POLICY,
  readOf,
} from '../../../../support/gateway/local-owner.js';

const NEVER = new AbortController().signal;

/** An influxd that takes everything, or answers as it is told. */
function fakeInfluxd() {
  const written: string[] = [];
  const asked: string[] = [];
  const answers = { write: { status: 204, text: '' }, queryStatus: 200 };
  const influxd: LocalOwnerDeps['influxd'] = {
    write: async ({ body }: DataWrite) => {
      written.push(Buffer.from(body).toString());
      return answers.write;
    },
    query: async ({ statement }) => {
      asked.push(statement);
      const body = Readable.from(['{}']) as unknown as IncomingMessage;
      return { status: answers.queryStatus, headers: {}, body };
    },
  };
  return { influxd, written, asked, answers };
}

function setUp(options: Parameters<typeof ownerOn>[1] = {}) {
  const influxd = fakeInfluxd();
  const owned = ownerOn(influxd.influxd, options);
  const apply = (changes: Partial<Batch> = {}) =>
    owned.owner.apply(batchOf('m v=1 1', changes), NEVER);
  return { ...influxd, ...owned, apply };
}

describe('an owner', () => {
  describe('takes a batch only', () => {
    const cases: readonly [
      string,
      (world: OwnerWorld) => void,
      Partial<Batch>,
      object | 'applied',
    ][] = [
      ['that is all right', () => undefined, {}, 'applied'],
      [
        'once it has caught up with the placement and the metadata of the sender',
        (world) => (world.reachable = { metadata: 5, placement: 6 }),
        { placementVersion: 6, metadataVersion: 5 },
        'applied',
      ],
      [
        'not where it can not catch up with the metadata',
        () => undefined,
        { metadataVersion: 5 },
        { kind: 'failed', why: 'it has not reached version 5 of the metadata' },
      ],
      [
        'not where it can not catch up with the placement',
        () => undefined,
        { placementVersion: 5 },
        { kind: 'failed', why: 'it has not reached version 5 of the placement' },
      ],
      [
        'not of a group that it does not know',
        (world) => (world.placement = placementOf([], 3)),
        {},
        { kind: 'stale', placementVersion: 3, metadataVersion: 1 },
      ],
      [
        'not of a shard that is not its own',
        (world) =>
          (world.placement = placementOf([
            groupOf({ shards: [{ id: 1, owners: [{ node: 2 }] }] }),
          ])),
        {},
        { kind: 'stale', placementVersion: 1, metadataVersion: 1 },
      ],
      [
        'not of a group that was cut since the sender looked',
        (world) => {
          const cut = { atNs: 1n, confirmed: [1, 2], counts: true };
          world.placement = placementOf([groupOf({ cut })], 2);
        },
        {},
        { kind: 'stale', placementVersion: 2, metadataVersion: 1 },
      ],
      [
        'of a group that was cut, where it was taken in before',
        (world) => {
          const cut = { atNs: 1n, confirmed: [1, 2], counts: true };
          world.placement = placementOf([groupOf({ cut })], 2);
        },
        { isHint: true },
        'applied',
      ],
      [
        'not of a database that was dropped',
        (world) => (world.metadata = { ...metadataOf(), databases: new Map() }),
        {},
        { kind: 'gone', why: 'the database of "telegraf"."autogen" was dropped' },
      ],
      [
        'not of a database that another one took the name of',
        (world) => (world.metadata = metadataOf({ database: 4, policy: 4 })),
        {},
        {
          kind: 'gone',
          why: '"telegraf"."autogen" was dropped, and another one bears its name now',
        },
      ],
      [
        'not of a policy that another one took the name of, as a hint either',
        (world) => (world.metadata = metadataOf({ policy: 4 })),
        { isHint: true },
        {
          kind: 'gone',
          why: '"telegraf"."autogen" was dropped, and another one bears its name now',
        },
      ],
      [
        'not of a database that is newer than the one that it knows',
        () => undefined,
        { databaseMark: 2, policyMark: 2 },
        { kind: 'failed', why: 'this node knows an older "telegraf"."autogen" only' },
      ],
      [
        'not while it catches up',
        (world) => (world.isGateOpen = false),
        {},
        { kind: 'catching-up' },
      ],
      [
        'that is a hint while it catches up',
        (world) => (world.isGateOpen = false),
        { isHint: true },
        'applied',
      ],
      [
        'not where a delete was run that the sender does not know',
        (world) => (world.deletes = { applied: 3, newest: 3 }),
        { deletes: 2 },
        { kind: 'deletes', deletes: 3 },
      ],
      [
        'once it has run the deletes that the sender knows',
        (world) => (world.deletes = { applied: 1, newest: 3 }),
        { deletes: 3 },
        'applied',
      ],
      [
        'not where it can not run those',
        () => undefined,
        { deletes: 3 },
        { kind: 'failed', why: 'no manager tells of that delete' },
      ],
    ];
    for (const [what, change, changes, expected] of cases) {
      it(what, async () => {
        const { world, apply, written } = setUp();
        change(world);
        const outcome = await apply(changes);
        const wanted = expected === 'applied' ? { kind: 'applied' } : expected;
        expect(outcome).to.deep.equal(wanted);
        expect(written).to.have.length(expected === 'applied' ? 1 : 0);
      });
    }
  });

  it('puts on record that it has points of a group, where influxd took some of them', async () => {
    for (const [status, text, has] of [
      [204, '', true],
      [400, '{"error":"partial write: field type conflict dropped=1"}', false],
      [500, '{"error":"timeout"}', false],
    ] as const) {
      const { apply, answers, world } = setUp();
      answers.write = { status, text };
      await apply();
      expect(world.written.has(1), String(status)).to.equal(has);
    }
    const { owner, answers, world } = setUp();
    answers.write = { status: 400, text: '{"error":"partial write: conflict dropped=1"}' };
    await owner.apply(batchOf(['m v=1 1', 'm v=2 2']), NEVER);
    expect(world.written.has(1), 'of two lines one').to.equal(true);
  });

  it('leaves out of a hint what later deletes matched, and writes nothing where that is all of it', async () => {
    const { world, apply, written } = setUp();
    world.deletes = { applied: 5, newest: 5 };
    world.afterDeletes = (hint) => ({ ...hint, body: Buffer.from('left v=1 1') });
    expect(await apply({ isHint: true, deletes: 2 })).to.deep.equal({ kind: 'applied' });
    expect(written).to.deep.equal(['left v=1 1']);
    world.afterDeletes = () => undefined;
    expect(await apply({ isHint: true, deletes: 2 })).to.deep.equal({ kind: 'applied' });
    expect(written).to.have.length(1);
  });

  it('compares a hint again where a delete comes in the moment before it is written', async () => {
    const { world, apply, written } = setUp();
    world.deletes = { applied: 1, newest: 9 };
    world.afterDeletes = (hint) => {
      world.deletes.applied = Math.min(3, world.deletes.applied + 1);
      return { ...hint, body: Buffer.from(`after ${world.deletes.applied}`) };
    };
    expect(await apply({ isHint: true })).to.deep.equal({ kind: 'applied' });
    expect(written).to.deep.equal(['after 3']);
  });

  it('waits for the very database, and writes nothing into an older one of its name', async () => {
    const clock = fakeClock();
    const { world, apply, written } = setUp({ clock });
    world.isApplied = false;
    const waiting = apply();
    await clock.advance(1_000);
    expect(written).to.deep.equal([]);
    world.isApplied = true;
    await clock.advance(100);
    expect([await waiting, written.length]).to.deep.equal([{ kind: 'applied' }, 1]);
    world.isApplied = false;
    const late = apply();
    await clock.advance(2_100);
    expect(await late).to.have.property('kind', 'failed');
  });

  it('refuses more bytes at once than it takes, and takes them when there is room', async () => {
    const { owner, influxd, world } = setUp({ maxBytesInFlight: 10 });
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    influxd.write = async () => {
      await held;
      return { status: 204, text: '' };
    };
    const first = owner.apply(batchOf('m v=1 1'), NEVER);
    const second = await owner.apply(batchOf('m v=2 2'), NEVER);
    expect(second).to.have.property('why').that.matches(/busy/);
    release();
    expect(await first).to.deep.equal({ kind: 'applied' });
    expect(await owner.apply(batchOf('m v=2 2'), NEVER)).to.deep.equal({ kind: 'applied' });
    expect(world.awayNoted).to.equal(0);
  });

  it('never takes what is no answer of influxd for its word on the points', async () => {
    for (const [status, text, kind] of [
      [400, 'Bad Request', 'failed'],
      [404, '404 page not found\n', 'failed'],
      [502, '<html>bad gateway</html>', 'failed'],
      [500, '{"error":"timeout"}', 'failed'],
      [503, 'request throttled, queue full\n', 'failed'],
      [429, '{"error":"slow down"}', 'failed'],
      [413, '{"error":"Request Entity Too Large"}', 'too-large'],
      [400, '{"error":"unable to parse \'m\': missing fields"}', 'refused'],
    ] as const) {
      const { answers, apply } = setUp();
      answers.write = { status, text };
      expect(await apply(), `${status} ${text}`).to.have.property('kind', kind);
    }
  });

  it('passes its end on, and nothing else', async () => {
    const { owner, influxd } = setUp();
    const ending = new AbortController();
    influxd.write = async () => {
      ending.abort();
      throw new AppError('aborted', 'stopped');
    };
    const error = await owner.apply(batchOf('m v=1 1'), ending.signal).catch((e: unknown) => e);
    expect(error).to.have.property('code', 'aborted');
  });

  describe('answers a read only', () => {
    const owners = (owner: object) =>
      placementOf([groupOf({ shards: [{ id: 1, owners: [{ node: 1, ...owner }] }] })]);
    const cases: readonly [string, (world: OwnerWorld) => void, string][] = [
      ['where it lacks nothing', () => undefined, 'opened'],
      ['not where a peer may hold hints for it', (world) => (world.behind = 'node 2'), 'behind'],
      [
        'not where it is incomplete',
        (world) => (world.placement = owners({ incomplete: { since: '', why: 'a lost disk' } })),
        'behind',
      ],
      [
        'not where the group is no longer there',
        (world) => (world.placement = placementOf([])),
        'behind',
      ],
      [
        'not where it owns none of it',
        (world) => (world.placement = owners({ node: 2 })),
        'behind',
      ],
      ['not where its influxd has an older database', (w) => (w.isApplied = false), 'behind'],
    ];
    for (const [what, change, kind] of cases) {
      it(what, async () => {
        const { owner, world, asked } = setUp();
        change(world);
        const outcome = await owner.read(readOf('SELECT v FROM m'), NEVER);
        expect(outcome).to.have.property('kind', kind);
        expect(asked).to.have.length(kind === 'opened' ? 1 : 0);
      });
    }

    it('after the deletes that the asker knows', async () => {
      const { owner, world } = setUp();
      world.deletes.newest = 4;
      await owner.read(readOf('SELECT v FROM m', { deletes: 4 }), NEVER);
      expect(world.deletes.applied).to.equal(4);
      const outcome = await owner.read(readOf('SELECT v FROM m', { deletes: 5 }), NEVER);
      expect(outcome).to.have.property('kind', 'failed');
    });

    it('at once where no group is asked for', async () => {
      const { owner, world } = setUp();
      world.placement = placementOf([]);
      const outcome = await owner.read(readOf('SHOW DATABASES', { groups: [] }), NEVER);
      expect(outcome).to.have.property('kind', 'opened');
    });

    it('as failed where influxd has an error of its own or refuses the account', async () => {
      for (const status of [401, 403, 500, 503]) {
        const { owner, answers } = setUp();
        answers.queryStatus = status;
        const outcome = await owner.read(readOf('SELECT v FROM m', { policy: POLICY }), NEVER);
        expect(outcome, String(status)).to.have.property('kind', 'failed');
      }
    });
  });
});
