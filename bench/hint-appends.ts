// How fast hints become durable: the hint log with its group commit, against plain appends of the same size that are each
// fsynced. A function for bench/main.ts; the drain rate belongs to the benchmark that has real owners.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeHintFiles } from '../agent/gateway/handoff/hint-files.js';
import { OwnerLog } from '../agent/gateway/handoff/owner-log.js';
import type { Batch } from '../agent/gateway/owner/port.js';
import { temporaryDirectory } from '../test/support/temp-dir.js';
import type { BenchOptions, Cleanup } from './support/bench.js';
import { atLeast, type Report } from './support/report.js';

/** A batch of 100 points of some 350 bytes. */
const BODY_BYTES = 35_000;
const WRITERS = 32;
const APPENDS = 4_000;

export async function hintAppends({ scale }: BenchOptions, cleanup: Cleanup): Promise<Report> {
  const directory = await cleanup.keep(temporaryDirectory('bench-hints'), (each) => each.remove());
  const appends = Math.ceil(APPENDS * scale);
  const plain = await plainAppends(join(directory.path, 'plain'), Math.ceil(appends / 4));
  const alone = await hintsBy(1, join(directory.path, 'alone'), directory.path, appends / 4);
  const many = await hintsBy(WRITERS, join(directory.path, 'many'), directory.path, appends);
  return {
    figures: [
      { what: 'plain appends with fsync per second', measured: rate(plain) },
      {
        what: 'hints per second, one writer',
        measured: rate(alone),
        aim: atLeast('≥ 0.8 of plain', alone, 0.8 * plain),
      },
      {
        what: `hints per second, ${WRITERS} writers`,
        measured: rate(many),
        aim: atLeast('≥ 2 × plain', many, 2 * plain),
      },
    ],
    notes: [`Each has ${BODY_BYTES} bytes; every one is fsynced before it counts.`],
  };
}

function rate(perSecond: number): string {
  return `${perSecond.toFixed(0)}, ${((perSecond * BODY_BYTES) / 2 ** 20).toFixed(0)} MiB/s`;
}

async function plainAppends(path: string, count: number): Promise<number> {
  const file = await open(path, 'w');
  const body = Buffer.alloc(BODY_BYTES, 'x');
  const started = performance.now();
  for (let i = 0; i < count; i += 1) {
    await file.write(body, 0, body.length, i * body.length);
    await file.datasync();
  }
  const tookMs = performance.now() - started;
  await file.close();
  return (count / tookMs) * 1000;
}

async function hintsBy(
  writers: number,
  directory: string,
  parent: string,
  count: number,
): Promise<number> {
  const register = () => Promise.resolve();
  const log = await OwnerLog.open({ files: nodeHintFiles(), directory, parent, register });
  const started = performance.now();
  let left = count;
  const writer = async (): Promise<void> => {
    for (; left > 0; left -= 1) await log.append(BATCH, 0);
  };
  await Promise.all(Array.from({ length: writers }, writer));
  const tookMs = performance.now() - started;
  await log.close();
  return (count / tookMs) * 1000;
}

const BATCH: Batch = {
  database: 'bench',
  policy: 'autogen',
  precision: 'n',
  body: Buffer.alloc(BODY_BYTES, 'x'),
  points: 100,
  group: 1,
  shard: 1,
  databaseMark: 1,
  policyMark: 1,
  placementVersion: 1,
  metadataVersion: 1,
  deletes: 0,
  isHint: true,
};
