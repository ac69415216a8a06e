// A node that watches its own shards: what it believes of its influxd after each start, and what it tells the cluster.
import { expect } from 'chai';
import { join } from 'node:path';
import { OwnShards } from '../../../../../agent/gateway/placement/own-shards.js';
import { FakeInflux } from '../../../../../agent/influxd/fake-influx.js';
import { fakeClock } from '../../../../../shared/lifecycle/clock.js';
import { silentLogger } from '../../../../../shared/log/logger.js';
import type { PlacedGroup } from '../../../../../shared/placement/model.js';
import { TestMetadata } from '../../../../support/gateway/views.js';
import { eventually } from '../../../../support/eventually.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../../support/temp-dir.js';

const WEEK_NS = 604_800_000_000_000n;
const RETRIES_MS = 1_000;

const GROUP: PlacedGroup = {
  ...{ id: 7, database: 'db', policy: 'autogen', databaseMark: 1, policyMark: 1 },
  ...{ startNs: 0n, endNs: WEEK_NS, shards: [{ id: 1, owners: [{ node: 1 }, { node: 2 }] }] },
};

/** One influxd on one state directory, over as many runs of the agent as the test wants. */
class World {
  readonly influx = new FakeInflux();
  readonly clock = fakeClock();
  readonly metadata = new TestMetadata();
  readonly told: { readonly groups: readonly number[]; readonly why: string }[] = [];
  nodeId: number | undefined = 1;
  private run = new AbortController();
  private agent = new AbortController();
  private running: Promise<void> = Promise.resolve();
  shards!: OwnShards;

  constructor(private readonly path: string) {
    this.metadata.add('db');
    this.influx.run('CREATE DATABASE "db"');
  }

  async startAgent(): Promise<void> {
    const { influx: control, clock, metadata } = this;
    this.shards = new OwnShards({
      ...{ path: this.path, control, clock, logger: silentLogger() },
      placement: {
        current: { version: 1, incarnation: 'i', members: [1, 2], deletes: 0, groups: [GROUP] },
        ofDatabase: (name) => (name === 'db' ? [GROUP] : []),
        markIncomplete: async (_node, groups, why) => {
          this.told.push({ groups, why });
        },
      },
      api: {
        adopt: async () => ({ version: 1, incarnation: 'i', members: [], deletes: 0, groups: [] }),
      },
      metadata: () => metadata.current,
      isMetadataKnown: () => metadata.isKnown,
      nodeId: () => this.nodeId,
      watch: {
        watch: async () => this.run.signal,
        close: () => undefined,
      },
      hasJoined: () => true,
      isShared: () => true,
    });
    await this.shards.load();
    this.agent = new AbortController();
    this.running = this.shards.run(this.agent.signal);
    await this.settled();
  }

  async stopAgent(): Promise<void> {
    this.agent.abort();
    await this.running;
  }

  /** Ends and starts between two looks, and in the meantime `change` happens to what it has. */
  restartInfluxd(change: () => void = () => undefined): void {
    this.influx.kill();
    change();
    const ended = this.run;
    this.run = new AbortController();
    ended.abort();
    this.influx.start();
  }

  async settled(): Promise<void> {
    // The state is written to a real disk in between.
    await eventually(async () => {
      await this.clock.advance(RETRIES_MS);
      return (
        this.shards.lookedAt !== undefined || this.nodeId === undefined || !this.metadata.isKnown
      );
    });
  }
}

describe("a node's own shards", () => {
  let directory: TemporaryDirectory;
  let world: World;

  beforeEach(async () => {
    directory = await temporaryDirectory('own-shards');
    world = new World(join(directory.path, 'shards.json'));
  });
  afterEach(async () => {
    await world.stopAgent();
    await directory.remove();
  });

  it('are not known between a start of influxd and the next look, which comes at once', async () => {
    await world.startAgent();
    expect(world.shards.lacks(7)).to.equal(undefined);
    world.restartInfluxd();
    expect(world.shards.lookedAt).to.equal(undefined);
    expect(world.shards.lacks(7)).to.include('not looked at');
    await world.settled();
    expect(world.shards.lacks(7)).to.equal(undefined);
    expect(world.told).to.deep.equal([]);
  });

  it('are missed where influxd comes back without its data, also those of a group that was never looked at', async () => {
    await world.startAgent();
    world.influx.write('db', undefined, 1n);
    await world.shards.noteWritten(7);
    world.restartInfluxd(() => {
      world.influx.disk.clear();
    });
    await world.settled();
    expect(world.told.map(({ groups }) => groups)).to.deep.equal([[7]]);
    expect(world.told[0]?.why).to.include('no longer loaded');
  });

  for (const [words, hide, show] of [
    ['its number is', () => (world.nodeId = undefined), () => (world.nodeId = 1)],
    [
      'the metadata of the cluster is',
      () => (world.metadata.isKnown = false),
      () => (world.metadata.isKnown = true),
    ],
  ] as const) {
    it(`are missed once ${words} known, where another influxd came while the agent was away`, async () => {
      await world.startAgent();
      await world.stopAgent();
      world.restartInfluxd(() => {
        world.influx.replaceFile(undefined);
      });
      hide();
      await world.startAgent();
      expect(world.shards.lookedAt).to.equal(undefined);
      show();
      await world.settled();
      expect(world.told.map(({ groups }) => groups)).to.deep.equal([[7]]);
      expect(world.told[0]?.why).to.include('another one');
    });
  }

  it('that were written to are on record over restarts of the agent', async () => {
    await world.startAgent();
    world.influx.write('db', undefined, 1n);
    await Promise.all([world.shards.noteWritten(7), world.shards.noteWritten(7)]);
    await world.stopAgent();
    world.restartInfluxd(() => {
      world.influx.disk.clear();
    });
    await world.startAgent();
    await eventually(() => world.told.length === 1);
  });
});
