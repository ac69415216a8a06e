import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { metadataOf } from '../../../../../agent/gateway/metadata/metadata-of.js';
import { PlacementFollower } from '../../../../../agent/gateway/placement/placement-follower.js';
import type { PlacementApi } from '../../../../../agent/manager-api/placement-api.js';
import { AppError } from '../../../../../shared/errors/app-error.js';
import { silentLogger } from '../../../../../shared/log/logger.js';
import type { PlacedGroup, Placement } from '../../../../../shared/placement/model.js';
import { NO_PLACEMENT } from '../../../../../shared/placement/model.js';
import { eventually } from '../../../../support/eventually.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../../support/temp-dir.js';

const GROUP: PlacedGroup = {
  id: 1,
  database: 'db',
  policy: 'p',
  databaseMark: 1,
  policyMark: 1,
  startNs: 0n,
  endNs: 10n,
  shards: [{ id: 1, owners: [{ node: 1 }] }],
};
const POLICY = { durationNs: 0n, shardDurationNs: 10n, replication: 1 };
const METADATA = metadataOf(
  1,
  [
    { kind: 'database', path: ['db'], value: { defaultPolicy: 'p' } },
    {
      kind: 'policy',
      path: ['db', 'p'],
      value: { ...POLICY, futureLimitNs: 0n, pastLimitNs: 0n },
    },
  ],
  () => 1,
);

function placement(version: number, more: Partial<Placement> = {}): Placement {
  return { ...NO_PLACEMENT, version, incarnation: 'i', members: [1], ...more };
}

describe('the placement as an agent follows it', () => {
  let directory: TemporaryDirectory;
  let newest: Placement | AppError;
  let confirmed: number[];
  const { signal } = new AbortController();

  beforeEach(async () => {
    directory = await temporaryDirectory('placement');
    newest = placement(1);
    confirmed = [];
  });
  afterEach(() => directory.remove());

  const answer = () =>
    newest instanceof AppError ? Promise.reject(newest) : Promise.resolve(newest);
  const path = () => join(directory.path, 'placement.json');

  function follower(taken: number[] = []): PlacementFollower {
    const api = {
      read: async (seen: Placement | undefined, waitMs: number, aborted: AbortSignal) => {
        for (;;) {
          aborted.throwIfAborted();
          const now = await answer();
          if (now.version !== seen?.version || now.incarnation !== seen.incarnation) return now;
          if (waitMs === 0) return undefined;
          await new Promise(setImmediate);
        }
      },
      makeGroups: answer,
      setCompleteness: answer,
      confirm: (_node: number, version: number) => {
        confirmed.push(version);
        const groups = [{ ...GROUP, cut: { atNs: 5n, confirmed: [1], counts: true } }];
        newest = placement(version + 1, { groups });
        return answer();
      },
    } as unknown as PlacementApi;
    return new PlacementFollower({
      api,
      path: path(),
      metadata: () => METADATA,
      nodeId: () => 1,
      longPollMs: 1_000,
      onTaken: ({ version }) => {
        taken.push(version);
        return Promise.resolve();
      },
      logger: silentLogger(),
    });
  }

  const wanted = [{ database: 'db', policy: 'p', timeNs: 3n }];

  it('has a missing group made, and asks nobody where there is one', async () => {
    const follow = follower();
    newest = placement(2, { groups: [GROUP] });
    await follow.ensure(wanted, signal);
    expect(follow.writable('db', 'p', 3n)?.id).to.equal(1);
    newest = new AppError('manager-unreachable', 'nobody answers');
    await follow.ensure(wanted, signal);
  });

  it('says that there is no group, and why, where none could be made', async () => {
    const follow = follower();
    newest = new AppError('manager-unreachable', 'nobody answers');
    const error = await follow.ensure(wanted, signal).then(
      () => undefined,
      (each: unknown) => each as AppError,
    );
    expect(error).to.include({ code: 'no-group', status: 503, retryable: true });
    expect(error?.message).to.include('nobody answers');
  });

  it('takes no group that is for another database of the name', async () => {
    newest = placement(2, { groups: [{ ...GROUP, databaseMark: 9 }] });
    const error = await follower()
      .ensure(wanted, signal)
      .catch((each: unknown) => each);
    expect(error).to.have.property('code', 'no-group');
  });

  it('goes on after a start by what it heard before, also while nobody answers', async () => {
    const before = follower();
    newest = placement(4, { groups: [GROUP], deletes: 3 });
    expect(await before.reach(4, signal)).to.equal(true);
    newest = new AppError('manager-unreachable', 'nobody answers');
    const after = follower();
    await after.load();
    expect(after.current).to.deep.equal(before.current);
    expect(await after.reach(5, signal)).to.equal(false);
  });

  it('asks the managers where what is on disk is damaged', async () => {
    await writeFile(path(), '{"version":');
    const follow = follower();
    await follow.load();
    expect(follow.current.version).to.equal(0);
    expect(await follow.reach(1, signal)).to.equal(true);
    expect(JSON.parse(await readFile(path(), 'utf8'))).to.include({ version: 1 });
  });

  it('never goes back within a line, and takes another line whatever its number', async () => {
    const taken: number[] = [];
    const follow = follower(taken);
    newest = placement(5);
    await follow.reach(5, signal);
    newest = placement(3);
    await follow.markIncomplete(1, [1], 'why', signal);
    expect(follow.current.version).to.equal(5);
    newest = placement(2, { incarnation: 'other' });
    await follow.markIncomplete(1, [1], 'why', signal);
    expect(follow.current).to.include({ version: 2, incarnation: 'other' });
    expect(taken).to.deep.equal([5, 2]);
  });

  it('confirms a cut once it has it, and tells of each new version', async () => {
    const stop = new AbortController();
    const follow = follower();
    const seen: number[] = [];
    follow.onChange(({ version }) => seen.push(version));
    newest = placement(1, {
      groups: [{ ...GROUP, cut: { atNs: 5n, confirmed: [], counts: false } }],
    });
    const running = follow.run(stop.signal);
    await eventually(() => {
      expect(follow.current.version).to.equal(2);
    });
    stop.abort();
    await running;
    expect(confirmed).to.deep.equal([1]);
    expect(seen).to.deep.equal([1, 2]);
  });
});
