import { expect } from 'chai';
import type { ClusterWriterDeps } from '../../../../../agent/gateway/write/cluster-writer.js';
import { ClusterWriter } from '../../../../../agent/gateway/write/cluster-writer.js';
import type { FanOutResult, Routed } from '../../../../../agent/gateway/write/fan-out.js';
import type { OwnerState } from '../../../../../agent/gateway/write/owner-state.js';
import { fakeClock } from '../../../../../shared/lifecycle/clock.js';
import { memoryLogger } from '../../../../../shared/log/logger.js';
import { TestMetadata, TestPlacement } from '../../../../support/gateway/views.js';

const APPLIED: OwnerState = { kind: 'applied' };
const LOST: OwnerState = { kind: 'lost', why: 'the disk is full' };
const ISOLATED: OwnerState = {
  ...{ kind: 'lost', why: 'nobody could be told' },
  fault: { status: 503, code: 'isolated', error: 'e', isSafeToRetry: true, retryAfterSeconds: 1 },
};

/** A writer over owners that end as a test says, batch by batch. */
class World {
  readonly metadata = new TestMetadata();
  readonly placement: TestPlacement;
  readonly routed: Routed[] = [];
  readonly writer: ClusterWriter;
  readonly lastRounds: boolean[] = [];
  answer: (routed: Routed, round: number) => Partial<FanOutResult> = () => ({});

  constructor(owners: readonly (readonly number[])[] = [[1, 2, 3]]) {
    this.metadata.add('d');
    this.placement = new TestPlacement(this.metadata, owners);
    const deps: ClusterWriterDeps = {
      metadata: this.metadata,
      placement: this.placement,
      fanOut: {
        deliver: async (routed, { isLast }) => {
          this.routed.push(routed);
          this.lastRounds.push(isLast);
          return result(routed, this.answer(routed, this.routed.length));
        },
      },
      clock: fakeClock(),
      logger: memoryLogger(),
      hintAfterMs: 100,
    };
    this.writer = new ClusterWriter(deps);
  }

  write(body: string, more: { level?: string; policy?: string; database?: string } = {}) {
    const { level = null, policy = '', database = 'd' } = more;
    const points = { database, policy, precision: 'n', level, body: Buffer.from(body) } as const;
    return this.writer.write(points, new AbortController().signal);
  }
}

function result({ shard }: Routed, more: Partial<FanOutResult>): FanOutResult {
  return {
    owners: shard.owners.map(({ node }) => ({ node, state: APPLIED })),
    isLevelReached: true,
    refused: undefined,
    again: undefined,
    released: Promise.resolve(),
    ...more,
  };
}

function states(...of: OwnerState[]): Pick<FanOutResult, 'owners'> {
  return { owners: of.map((state, index) => ({ node: index + 1, state })) };
}

describe('writing into the cluster', () => {
  it('asks once for all groups that are missing', async () => {
    const world = new World();
    const { fault, spread } = await world.write('m f=1 1\nm f=1 900000000000000000');
    expect(fault).to.equal(undefined);
    expect(spread).to.deep.equal({ applied: 3, hinted: 0 });
    expect(world.placement.asked.map(({ length }) => length)).to.deep.equal([2]);
    expect(world.routed).to.have.length(2);
  });

  it('writes nothing where a group can not be made', async () => {
    const world = new World();
    world.placement.isCutOff = true;
    const { fault } = await world.write('m f=1 1');
    expect(fault).to.deep.include({ status: 503, code: 'no-group', isSafeToRetry: true });
    expect(world.routed).to.be.empty;
  });

  it('says what each batch was made by', async () => {
    const world = new World();
    await world.write('m f=1 1');
    expect(world.routed[0]?.head).to.deep.include({
      database: 'd',
      policy: 'autogen',
      databaseMark: 1,
      placementVersion: 2,
      metadataVersion: 2,
      isHint: false,
    });
  });

  it('asks for newer metadata before it says that a policy does not exist', async () => {
    const world = new World();
    const { current } = world.metadata;
    world.metadata.add('d', [{ name: 'autogen' }, { name: 'new' }]);
    world.metadata.next = world.metadata.current;
    world.metadata.current = current;
    expect((await world.write('m f=1 1', { policy: 'new' })).fault).to.equal(undefined);
    const { fault } = await world.write('m f=1 1', { policy: 'zz' });
    expect(fault).to.deep.include({ status: 500, error: 'retention policy not found: zz' });
  });

  describe('owners that know better', () => {
    const again = { kind: 'again', placementVersion: 1, metadataVersion: 1, deletes: 8 } as const;

    it('get the same lines again, with the number of the delete that they ran', async () => {
      const world = new World();
      world.answer = (_, round) => (round === 1 ? { again } : {});
      const { fault } = await world.write('m f=1 1');
      expect(fault).to.equal(undefined);
      expect(world.routed.map(({ head }) => head.deletes)).to.deep.equal([0, 8]);
      expect(world.routed[1]?.lines.body().toString()).to.equal('m f=1 1');
    });

    it('do not get the lines of other batches again', async () => {
      const world = new World();
      world.answer = (_, round) => (round === 2 ? { again } : {});
      await world.write('a f=1 1\nb f=1 900000000000000000');
      expect(world.routed.map(({ lines }) => lines.body().toString())).to.deep.equal([
        'a f=1 1',
        'b f=1 900000000000000000',
        'b f=1 900000000000000000',
      ]);
    });

    it('are told so in the third round, which makes hints instead', async () => {
      const world = new World();
      world.answer = (_, round) => (round < 3 ? { again } : {});
      await world.write('m f=1 1');
      expect(world.lastRounds).to.deep.equal([false, false, true]);
    });
  });

  describe('what is gone', () => {
    const gone: OwnerState = { kind: 'gone', why: 'dropped' };

    it('is told as influxd tells it', async () => {
      const world = new World();
      world.answer = () => {
        world.metadata.next = { ...world.metadata.current, databases: new Map() };
        return states(gone, gone, gone);
      };
      const { fault } = await world.write('m f=1 1');
      expect(fault).to.deep.include({ status: 404, error: 'database not found: "d"' });
    });

    it('is written to what bears its name now', async () => {
      const world = new World();
      world.answer = (_, round) => {
        if (round > 1) return {};
        const { current } = world.metadata;
        world.metadata.add('d', [{ name: 'autogen' }], 2);
        world.metadata.next = world.metadata.current;
        world.metadata.current = current;
        return states(gone, gone, gone);
      };
      const { fault } = await world.write('m f=1 1');
      expect(fault).to.equal(undefined);
      expect(world.routed.map(({ head }) => head.databaseMark)).to.deep.equal([1, 2]);
    });

    it('is no fault where another owner took the points', async () => {
      const world = new World();
      world.answer = () => states(gone, APPLIED, APPLIED);
      expect((await world.write('m f=1 1')).fault).to.equal(undefined);
    });
  });

  describe('an owner without the points and without a hint', () => {
    it('is recorded as incomplete before the write is answered', async () => {
      const world = new World();
      world.answer = () => states(APPLIED, LOST, APPLIED);
      expect((await world.write('m f=1 1')).fault).to.equal(undefined);
      expect(world.placement.marked).to.deep.equal([
        { node: 2, groups: [1], why: 'a hint for it could not be kept: the disk is full' },
      ]);
    });

    it('fails the write where it can not be recorded', async () => {
      const world = new World();
      world.answer = () => {
        world.placement.isCutOff = true;
        return states(APPLIED, LOST, APPLIED);
      };
      const { fault } = await world.write('m f=1 1');
      expect(fault).to.deep.include({ status: 503, code: 'hint-not-kept', isSafeToRetry: true });
    });

    it('is not recorded where the level was not reached: the write fails', async () => {
      const world = new World();
      world.answer = () => ({ ...states(LOST, LOST, APPLIED), isLevelReached: false });
      const { fault } = await world.write('m f=1 1', { level: 'quorum' });
      expect(fault).to.deep.include({ status: 503, code: 'level-not-reached' });
      expect(fault?.error).to.include('level quorum needs 2 of 3 owners: 1 applied');
      expect(world.placement.marked).to.be.empty;
    });

    it('is not recorded where it has a hint that nobody could be told of: the write fails', async () => {
      const world = new World();
      world.answer = () => states(APPLIED, ISOLATED, APPLIED);
      const { fault, spread } = await world.write('m f=1 1');
      expect(fault).to.deep.include({ status: 503, code: 'isolated', isSafeToRetry: true });
      expect(spread).to.deep.equal({ applied: 2, hinted: 0 });
      expect(world.placement.marked).to.be.empty;
    });

    it('is not recorded twice', async () => {
      const world = new World();
      await world.write('m f=1 1');
      const { groups } = world.placement.current;
      const incomplete = { since: '2026-01-01T00:00:00Z', why: 'x' };
      world.placement.current = {
        ...world.placement.current,
        groups: groups.map((group) => ({
          ...group,
          shards: group.shards.map((shard) => ({
            ...shard,
            owners: shard.owners.map((owner) =>
              owner.node === 2 ? { ...owner, incomplete } : owner,
            ),
          })),
        })),
      };
      world.answer = () => states(APPLIED, LOST, APPLIED);
      await world.write('m f=1 1');
      expect(world.placement.marked).to.be.empty;
    });
  });

  describe('lines that an owner refused', () => {
    const refused = (text: string, dropped: number): OwnerState => ({
      kind: 'refused',
      text,
      dropped,
    });

    it('are 400 in its words, although the others took them', async () => {
      const world = new World();
      world.answer = () => states(APPLIED, refused('partial write: no dropped=1', 1), APPLIED);
      const { fault } = await world.write('m f=1 1');
      expect(fault).to.deep.include({ status: 400, error: 'partial write: no dropped=1' });
      expect(world.placement.marked.map(({ node }) => node)).to.deep.equal([2]);
    });

    it('make nobody incomplete where all owners refused them', async () => {
      const world = new World();
      const state = refused('partial write: no dropped=1', 1);
      world.answer = () => states(state, state, state);
      await world.write('m f=1 1');
      expect(world.placement.marked).to.be.empty;
    });

    it('make nobody incomplete where they were too old by one clock', async () => {
      const world = new World();
      const text = 'partial write: points beyond retention policy dropped=1';
      world.answer = () => states(APPLIED, refused(text, 1), APPLIED);
      await world.write('m f=1 1');
      expect(world.placement.marked).to.be.empty;
    });

    it('come after a level that was not reached, which is the safer word', async () => {
      const world = new World();
      world.answer = () => ({
        ...states(refused('partial write: no dropped=1', 1)),
        isLevelReached: false,
      });
      expect((await world.write('m f=1 1')).fault?.code).to.equal('level-not-reached');
    });
  });
});
