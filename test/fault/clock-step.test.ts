// The wall clock of an agent, and of a manager, jumps a day ahead and a day back while they run. Clocks decide nothing.
import { expect } from 'chai';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { useFaultCluster } from '../support/fault/fault-suite.js';
import { steppedClock, type SteppedClock } from '../support/fault/stepped-clock.js';

/** More than two heartbeats and renewals of a lease at the tests' TTL. */
const SOME_TIME_MS = 1_500;

describe('a clock jumps', function () {
  this.timeout(120_000);
  const faults = useFaultCluster();

  beforeEach(function () {
    if (clockAt('probe') !== undefined) return;
    console.log('    skipped: there is no libfaketime; run `make deps`');
    this.skip();
  });

  const clockAt = (name: string): SteppedClock | undefined =>
    steppedClock(join(faults().cluster.dir, `${name}.clock`));

  for (const offset of ['+1d', '-1d']) {
    it(`by ${offset} at an agent: it stays registered and nothing is lost`, async () => {
      const { cluster, random, workload } = faults();
      const node = random.pick(cluster.nodes);
      const clock = clockAt(node.name)!;
      await node.agent.stop();
      await node.startAgent(clock.env);
      await faults().during(
        async () => {
          clock.step(offset);
          await workload.untilMore(10);
          await delay(SOME_TIME_MS);
          const nodes = await cluster.managers[0]!.get<Alive[]>(`/nodes/${cluster.name}`);
          expect(nodes.map(({ alive }) => alive)).to.deep.equal([true, true, true]);
        },
        { fault: `clock of an agent steps ${offset}` },
      );
      await node.restartAgent();
    });

    it(`by ${offset} at a manager: its versions are in line and nobody counts as dead`, async () => {
      const { cluster, random, workload } = faults();
      const manager = random.pick(cluster.managers);
      const clock = clockAt(manager.name)!;
      await manager.stop();
      await manager.start(clock.env);
      await faults().during(
        async () => {
          clock.step(offset);
          await workload.untilMore(10);
          await delay(SOME_TIME_MS);
          const nodes = await manager.get<Alive[]>(`/nodes/${cluster.name}`);
          expect(nodes.map(({ alive }) => alive)).to.deep.equal([true, true, true]);
          clock.step('+0');
        },
        { fault: `clock of a manager steps ${offset}` },
      );
      await manager.restart();
    });
  }
});

interface Alive {
  readonly alive: boolean;
}
