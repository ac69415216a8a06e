// A process that keeps and delivers numbered hints in a directory, to be killed: it says on stdout what was acknowledged
// (`kept N`), delivered (`sent N`) and that nothing is held any more (`empty`). usage: hint-process.ts DIRECTORY FROM COUNT
import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeHintFiles } from '../../../agent/gateway/handoff/hint-files.js';
import { HintedHandoff } from '../../../agent/gateway/handoff/hinted-handoff.js';
import { systemClock } from '../../../shared/lifecycle/clock.js';
import { silentLogger } from '../../../shared/log/logger.js';

const [, , stateDir = '', from = '0', count = '0'] = process.argv;
const OWNER = 'owner-1';

/** Written at once: a process that is killed has no time to flush a stream. */
const say = (line: string): void => {
  writeSync(1, `${line}\n`);
};

const handoff = new HintedHandoff({
  stateDir,
  files: nodeHintFiles(),
  config: {
    maxBytes: 1_000_000_000,
    maxAgeMs: 1_000_000_000,
    minFreeBytes: 0,
    retryIntervalMs: 1,
    retryMaxIntervalMs: 1,
    retryRateLimitBytes: 0,
  },
  clock: systemClock(),
  logger: silentLogger(),
  segmentBytes: 2_000,
  keptBytes: 500,
  sender: {
    send: async (_node, { body }) => {
      for (const [, number = ''] of body.toString().matchAll(/v=(\d+)/g)) say(`sent ${number}`);
      return { kind: 'applied' };
    },
  },
  nodeOf: () => 2,
  versions: () => ({ placement: 1, metadata: 1 }),
  catchUp: async () => undefined,
  afterDeletes: async (batch) => batch,
  onFirstHint: () => undefined,
  onDrained: () => undefined,
  onLost: async (_uid, _groups, why) => {
    say(`lost ${why}`);
  },
});

await handoff.start();
const keepOne = async (number: number): Promise<void> => {
  const outcome = await handoff.keep(OWNER, {
    database: 'db',
    policy: 'autogen',
    precision: 'n',
    body: Buffer.from(`m v=${number} ${number}`),
    points: 1,
    group: number % 3,
    shard: 1,
    databaseMark: 1,
    policyMark: 1,
    placementVersion: 1,
    metadataVersion: 1,
    deletes: 0,
    isHint: true,
  });
  say(outcome.kind === 'kept' ? `kept ${number}` : `refused ${outcome.why}`);
};
const first = Number(from);
for (let number = first; number < first + Number(count); number += 5) {
  await Promise.all([0, 1, 2, 3, 4].map((i) => keepOne(number + i)));
}
while (handoff.holds(OWNER)) await delay(2);
say('empty');
await handoff.stop();
