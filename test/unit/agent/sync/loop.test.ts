import { expect } from 'chai';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Availability } from '../../../../agent/manager-api/availability.js';
import type { FakeLink, FakeManager } from '../../../../agent/manager-api/fake-manager-api.js';
import { createFakeManager } from '../../../../agent/manager-api/fake-manager-api.js';
import { SyncLoop } from '../../../../agent/sync/loop.js';
import type { TickOutcome, TickReport } from '../../../../agent/sync/port.js';
import { RemoteView } from '../../../../agent/sync/remote-view.js';
import { memoryLogger } from '../../../../shared/log/logger.js';
import { encodeSnapshot } from '../../../../shared/meta/codec.js';
import { emptyData } from '../../../../shared/meta/snapshot.js';
import { eventually } from '../../../support/eventually.js';

function reportOf(outcome: TickOutcome, sentence: string = outcome): TickReport {
  const isInStep = outcome === 'no-action';
  return { outcome, sentence, version: 0, inStep: isInStep, pending: [], held: [], steps: [] };
}

describe('the loop around the reconciler', () => {
  let manager: FakeManager;
  let link: FakeLink;
  let metaDir: string;
  let stop: AbortController;
  let running: Promise<void> | undefined;
  let ticks: number;
  let logger: ReturnType<typeof memoryLogger>;
  /** What each tick answers, and how long it takes. */
  let tick: (count: number) => Promise<TickReport>;

  beforeEach(async () => {
    manager = createFakeManager();
    link = manager.api();
    metaDir = await mkdtemp(join(tmpdir(), 'loop-'));
    stop = new AbortController();
    ticks = 0;
    logger = memoryLogger();
    tick = async () => reportOf('no-action');
  });
  afterEach(async () => {
    stop.abort();
    await running;
    await rm(metaDir, { recursive: true, force: true });
  });

  function start(options: { resyncMs?: number } = {}): SyncLoop {
    const loop = new SyncLoop({
      reconciler: {
        tick: () => tick((ticks += 1)),
        lastReport: undefined,
        nextDueMs: undefined,
      },
      remoteView: new RemoteView(link, 'c'),
      availability: new Availability(logger),
      metaDir,
      isPollingMeta: false,
      longPollMs: 60_000,
      resyncMs: options.resyncMs ?? 60_000,
      logger,
      nowMs: () => Date.now(),
      onReport: () => undefined,
    });
    running = loop.run(stop.signal);
    return loop;
  }

  /** Until nothing wakes it any more: the first answers and the watch that stands are behind it. */
  async function quiet(): Promise<number> {
    await eventually(() => manager.waiting === 1, { what: 'the long poll to wait' });
    let before = -1;
    await eventually(
      () => {
        const isQuiet = ticks === before;
        before = ticks;
        return isQuiet;
      },
      { everyMs: 150 },
    );
    return ticks;
  }

  it('ticks when influxd renames a new meta.db into place', async () => {
    start();
    const before = await quiet();
    await writeFile(join(metaDir, 'meta.dbtmp'), 'x');
    await rename(join(metaDir, 'meta.dbtmp'), join(metaDir, 'meta.db'));
    await eventually(() => ticks > before);
  });

  it('ticks when the long poll brings another version, and not again for the same', async () => {
    start();
    const before = await quiet();
    manager.commit('c', encodeSnapshot(emptyData()));
    await eventually(() => ticks > before);
    const after = await quiet();
    expect(after - before).to.equal(1);
  });

  it('ticks by the timer, without any event', async () => {
    start({ resyncMs: 50 });
    await eventually(() => ticks >= 5);
  });

  it('never ticks twice at once, and makes one more tick of many wakes during one', async () => {
    let inside = 0;
    let most = 0;
    let release: () => void = () => undefined;
    tick = async (count) => {
      inside += 1;
      most = Math.max(most, inside);
      if (count === 1) await new Promise<void>((resolve) => (release = resolve));
      inside -= 1;
      return reportOf('no-action');
    };
    const loop = start();
    await eventually(() => manager.waiting === 1);
    for (let count = 0; count < 10; count += 1) loop.wake();
    release();
    await quiet();
    expect(most).to.equal(1);
    expect(ticks).to.be.within(2, 4); // the first, one for the wakes, and those of the watch that came to stand
  });

  it('looks again at once after a lost swap, and after what was done', async () => {
    tick = async (count) => reportOf(count < 6 ? 'changed' : 'no-action');
    start();
    await eventually(() => ticks >= 6, { withinMs: 1000 });
  });

  it('says each sentence once', async () => {
    tick = async (count) => reportOf('waiting', count < 3 ? 'influxd is away' : 'it is still away');
    const loop = start();
    await eventually(() => {
      loop.wake();
      return ticks >= 6;
    });
    const said = logger.lines.filter(({ message }) => message === 'sync waits');
    expect(said).to.have.length(2);
  });

  it('goes on without a manager, says so once, and catches up when it is back', async () => {
    manager.setAvailable(false);
    start({ resyncMs: 30 });
    await eventually(() => ticks >= 5);
    const away = () => logger.lines.filter(({ level }) => level === 'warn');
    expect(away()).to.have.length(1);
    manager.setAvailable(true);
    await eventually(() => manager.waiting === 1);
    expect(logger.lines.at(-1)?.message).to.equal('the manager answers again');
  });

  it('asks anew when its waiting read is aborted', async () => {
    const loop = start();
    await quiet();
    const before = link.calls.read;
    loop.abortPoll();
    await eventually(() => link.calls.read > before && manager.waiting === 1);
  });

  it('ends at once when it is told to, whatever waits', async () => {
    start();
    await quiet();
    const startedMs = performance.now();
    stop.abort();
    await running;
    expect(performance.now() - startedMs).to.be.below(500);
    expect(manager.waiting).to.equal(0);
  });
});
