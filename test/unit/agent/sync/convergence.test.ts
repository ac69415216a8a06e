// Properties of the whole reconciler over fakes: whatever users do on whichever node, wherever agents die and replies are
// lost, the nodes end equal, nothing is lost that nobody dropped, and nothing appears from nowhere.
import { expect } from 'chai';
import fc from 'fast-check';
import type { SimulatedCluster, SimulatedNode } from '../../../support/simulated-node.js';
import { schemaLines, simulate } from '../../../support/simulated-node.js';

/** Few names, so that changes meet; some are never dropped by any command, so that losses show. */
const DATABASES = ['a', 'b', 'c', 'kept'];
const POLICIES = ['p', 'q', 'kept'];
const DAY_NS = 86_400_000_000_000n;

type Command =
  | { do: 'user'; node: number; statement: string }
  | { do: 'write'; node: number; database: string; policy: string; day: number }
  | { do: 'tick'; node: number }
  | { do: 'die'; node: number; step: number; takesEffect: boolean }
  | { do: 'lose-reply'; node: number }
  | { do: 'lose-statement-reply'; node: number }
  | { do: 'restart-influxd'; node: number }
  | { do: 'manager'; available: boolean };

const NODES = 3;
const node = fc.nat(NODES - 1);
const database = fc.constantFrom(...DATABASES);
const policy = fc.constantFrom(...POLICIES);
const hours = fc.constantFrom(24, 48, 168, 0);

const duration = (h: number) => (h === 0 ? 'INF' : `${h}h`);
const droppable = (names: string[]) => fc.constantFrom(...names.filter((name) => name !== 'kept'));

const statement = fc.oneof(
  { weight: 4, arbitrary: database.map((d) => `CREATE DATABASE "${d}"`) },
  { weight: 2, arbitrary: droppable(DATABASES).map((d) => `DROP DATABASE "${d}"`) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(policy, database, hours, fc.boolean())
      .map(
        ([p, d, h, isDefault]) =>
          `CREATE RETENTION POLICY "${p}" ON "${d}" DURATION ${duration(h)} REPLICATION 1${isDefault ? ' DEFAULT' : ''}`,
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(policy, database, hours)
      .map(([p, d, h]) => `ALTER RETENTION POLICY "${p}" ON "${d}" DURATION ${duration(h)}`),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(policy, database)
      .map(([p, d]) => `ALTER RETENTION POLICY "${p}" ON "${d}" DEFAULT`),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(droppable(POLICIES), database)
      .map(([p, d]) => `DROP RETENTION POLICY "${p}" ON "${d}"`),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(policy, database, fc.constantFrom('http://h:1', 'udp://h:2'))
      .map(([p, d, url]) => `CREATE SUBSCRIPTION "s" ON "${d}"."${p}" DESTINATIONS ALL '${url}'`),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(policy, database).map(([p, d]) => `DROP SUBSCRIPTION "s" ON "${d}"."${p}"`),
  },
);

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('user' as const), node, statement }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      node,
      database,
      policy,
      day: fc.integer({ min: 20_000, max: 20_010 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('tick' as const), node }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('die' as const),
      node,
      step: fc.integer({ min: 1, max: 14 }),
      takesEffect: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose-reply' as const), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose-statement-reply' as const), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart-influxd' as const), node }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('manager' as const), available: fc.boolean() }),
  },
);

/** What users did, from which the end is judged. */
interface Ghost {
  /** Shards that were written, by node. */
  readonly shards: { node: number; id: bigint; database: string; policy: string }[];
  /** `kept` databases and policies of them that exist since somebody created them. */
  readonly createdForEver: Set<string>;
}

async function run(cluster: SimulatedCluster, commands: readonly Command[]): Promise<Ghost> {
  const ghost: Ghost = { shards: [], createdForEver: new Set() };
  await cluster.settle(); // all have joined: what a joining server brings may be held for a person
  for (const each of commands) await obey(cluster, each, ghost);
  cluster.manager.setAvailable(true);
  await cluster.settle();
  return ghost;
}

async function obey(cluster: SimulatedCluster, each: Command, ghost: Ghost): Promise<void> {
  if (each.do === 'manager') {
    cluster.manager.setAvailable(each.available);
    return;
  }
  const target = cluster.nodes[each.node]!;
  switch (each.do) {
    case 'user':
      if (target.tryUser(each.statement)) noteCreation(each.statement, ghost);
      return;
    case 'write':
      writePoint(target, each, ghost);
      return;
    case 'tick':
      await target.tick();
      return;
    case 'die':
      await target.tickAndDie(each.step, each.takesEffect);
      return;
    case 'lose-reply':
      target.api.loseNextReply();
      return;
    case 'lose-statement-reply':
      target.influx.loseNextReply();
      return;
    case 'restart-influxd':
      target.influx.restart();
  }
}

function noteCreation(text: string, { createdForEver }: Ghost): void {
  const name = /^CREATE DATABASE "kept"$/.exec(text) ? '["database","kept"]' : undefined;
  const inner = /^CREATE RETENTION POLICY "kept" ON "kept"/.exec(text);
  if (name) createdForEver.add(name);
  if (inner) createdForEver.add('["policy","kept","kept"]');
}

function writePoint(target: SimulatedNode, at: Extract<Command, { do: 'write' }>, ghost: Ghost) {
  try {
    const id = target.influx.write(at.database, at.policy, BigInt(at.day) * DAY_NS);
    ghost.shards.push({ node: target.id - 1, id, database: at.database, policy: at.policy });
  } catch {
    // no such database or policy: as a user's write that is answered with 404
  }
}

function describeNodes(cluster: SimulatedCluster): string {
  return cluster.nodes
    .map(({ lines, reconciler }) => `${lines.join('\n  ')}\n  (${reconciler.lastReport?.sentence})`)
    .join('\n--\n  ');
}

describe('the reconciler, whatever happens', function () {
  this.timeout(120_000);

  const runs = Number(process.env['CLUSTERFLUX_TEST_RUNS'] ?? 400);

  it('ends with equal nodes, loses nothing that nobody dropped, and invents nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 60 }), async (commands) => {
        const cluster = simulate(NODES);
        const ghost = await run(cluster, commands);
        const [first, ...others] = cluster.nodes;
        for (const other of others)
          expect(other.lines, describeNodes(cluster)).to.deep.equal(first!.lines);
        const newest = cluster.manager.newest('sim');
        if (newest) expect(schemaLines(newest.schema)).to.deep.equal(first!.lines);
        for (const name of ghost.createdForEver) {
          expect(
            first!.lines.some((line) => line.startsWith(name)),
            `${name} is gone`,
          ).to.equal(true);
        }
        for (const { node: at, id, database: d, policy: p } of ghost.shards) {
          if (d !== 'kept' || p !== 'kept') continue;
          expect(cluster.nodes[at]!.influx.disk.has(id), `shard ${id} on node ${at}`).to.equal(
            true,
          );
        }
      }),
      { numRuns: runs },
    );
  });

  it('does nothing in a second tick where the first had nothing left to do', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 30 }), async (commands) => {
        const cluster = simulate(NODES);
        await run(cluster, commands);
        const versions = cluster.manager.history('sim').length;
        const indexes = cluster.nodes.map(({ influx }) => influx.data.Index);
        for (const each of cluster.nodes) expect((await each.tick()).steps).to.deep.equal([]);
        expect(cluster.manager.history('sim').length).to.equal(versions);
        expect(cluster.nodes.map(({ influx }) => influx.data.Index)).to.deep.equal(indexes);
      }),
      { numRuns: Math.ceil(runs / 4) },
    );
  });
});
