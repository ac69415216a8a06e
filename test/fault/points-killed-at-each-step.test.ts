// The agent of a gateway is killed (-9) at each named step of what it does with hints and with numbered deletes, with failpoints,
// under the load of clients: what was acknowledged is on every influxd in the end.
import { expect } from 'chai';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterNode } from '../support/cluster-node.js';
import { eventually } from '../support/eventually.js';
import { dyingAt, failpointsIn } from '../support/fault/failpoints.js';
import { usePointsCluster } from '../support/fault/points/points-suite.js';
import { runOn } from '../support/gateway/sent-points.js';

const REACHED_WITHIN_MS = 30_000;
const ANSWER_WITHIN_MS = 10_000;
const BATCHES = 5;

/** A file of hints is full with 16 MiB, and one that is done is removed where it has more than 1 MiB. */
const FULL_PIECES = 18;
const REMOVED_PIECES = 3;
/** Of one piece, together 1 MiB. */
const LINES = 16;
const TEXT_BYTES = 64 * 1024;
const REFUSED_PAUSE_MS = 50;

/** The gateway's node, one that stays well, and an owner that goes away and comes back. */
interface Cast {
  readonly killed: ClusterNode;
  readonly well: ClusterNode;
  readonly owner: ClusterNode;
  readonly database: string;
}

const STEPS = failpointsIn('agent').filter((name) => /^(handoff|agent\.delete)\./.test(name));
const stepsOf = (...parts: string[]) =>
  STEPS.filter((name) => parts.some((part) => name.startsWith(part)));

/** `prepare` is for the whole group; `act` brings an agent that has just been launched to its step. */
interface Group {
  readonly words: string;
  readonly steps: readonly string[];
  readonly prepare: (cast: Cast) => Promise<void>;
  readonly act: (cast: Cast) => Promise<void>;
}

const nothing = () => Promise.resolve();

const GROUPS: readonly Group[] = [
  {
    words: 'taking hints in',
    steps: stepsOf('handoff.append.', 'handoff.rotate.created'),
    prepare: ({ owner }) => owner.influxd.kill9(),
    act: nothing,
  },
  {
    words: 'sending hints',
    steps: stepsOf('handoff.open.', 'handoff.replay.planned', 'handoff.replay.answered'),
    prepare: heldHints,
    act: nothing,
  },
  {
    words: 'having sent hints',
    steps: stepsOf('handoff.replay.done'),
    prepare: heldHints,
    act: ({ owner }) => owner.influxd.start(),
  },
  {
    words: 'changing files of hints',
    steps: stepsOf('handoff.rotate.full', 'handoff.rotate.sealed'),
    prepare: async ({ well, owner }) => {
      await runOn(well, 'CREATE DATABASE ballast');
      await owner.influxd.kill9();
    },
    act: ({ killed }) => fill(killed, FULL_PIECES),
  },
  {
    words: 'removing files of hints',
    steps: stepsOf('handoff.delete.'),
    prepare: ({ well }) => runOn(well, 'CREATE DATABASE ballast'),
    act: async ({ killed, owner }) => {
      await owner.influxd.kill9();
      await fill(killed, REMOVED_PIECES);
      await owner.influxd.start();
    },
  },
  {
    words: 'running deletes',
    steps: stepsOf('agent.delete.'),
    prepare: nothing,
    // There is nothing to delete: what matters is that nothing else goes.
    act: ({ well, database }) => runOn(well, 'DELETE FROM "nothing"', database),
  },
];

describe('the agent of a gateway is killed at each step', function () {
  this.timeout(120_000);
  const points = usePointsCluster();

  it('that has a name', () => {
    const tried = GROUPS.flatMap(({ steps }) => steps);
    expect([...tried].sort(), 'a step that nobody tries').to.deep.equal(STEPS);
  });

  for (const { words, steps, prepare, act } of GROUPS) {
    it(`of ${words}: ${steps.join(', ')}`, async () => {
      const { nodes } = points().cluster;
      const [killed, well, owner] = nodes as [ClusterNode, ClusterNode, ClusterNode];
      await points().during(
        async (load) => {
          const cast = { killed, well, owner, database: load.options.database };
          await prepare(cast);
          for (const step of steps) await diesAt(cast, step, act);
          if (owner.influxd.pid === undefined) await owner.influxd.start();
          await killed.startAgent();
        },
        { fault: `killed while ${words}`, batches: BATCHES },
      );
    });
  }
});

/** Starts the agent so that it dies at the step, and does what brings it there. */
async function diesAt(cast: Cast, step: string, act: Group['act']): Promise<void> {
  const { killed } = cast;
  await killed.agent.kill9();
  await killed.launchAgent(dyingAt(step));
  const ended = killed.agent.untilEnded(REACHED_WITHIN_MS);
  const [{ signal }] = await Promise.all([ended, act(cast)]);
  expect(signal, step).to.equal('SIGKILL');
}

async function heldHints({ killed, owner }: Cast): Promise<void> {
  await owner.influxd.kill9();
  await eventually(async () => expect((await killed.status()).hints).to.not.have.lengthOf(0), {
    withinMs: REACHED_WITHIN_MS,
  });
}

/** Writes so many MiB through a gateway as soon as it takes them, or until its agent has ended. */
async function fill({ gatewayUrl, agent }: ClusterNode, pieces: number): Promise<void> {
  const text = 'x'.repeat(TEXT_BYTES);
  for (let piece = 0; piece < pieces && agent.isRunning;) {
    const line = (index: number) => `ballast s="${text}" ${piece * LINES + index}`;
    const body = Array.from({ length: LINES }, (_, index) => line(index)).join('\n');
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const url = `${gatewayUrl}/write?db=ballast`;
    const isTaken = await fetch(url, { method: 'POST', body, signal }).then(
      async (answer) => (await answer.text()) === '',
      () => false, // It is not there yet, or dies in the middle.
    );
    if (isTaken) piece += 1;
    else await delay(REFUSED_PAUSE_MS);
  }
}
