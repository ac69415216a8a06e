// The run group: what starts, what stops when, and what a failure does.
import { expect } from 'chai';
import { AppError } from '../../../shared/errors/app-error.js';
import { sleep } from '../../../shared/lifecycle/backoff.js';
import {
  PHASES,
  runGroup,
  type Phase,
  type Runnable,
} from '../../../shared/lifecycle/run-group.js';
import { memoryLogger, silentLogger } from '../../../shared/log/logger.js';
import { eventually } from '../../support/eventually.js';

describe('runGroup', () => {
  let events: string[];
  let stop: AbortController;
  beforeEach(() => {
    events = [];
    stop = new AbortController();
  });

  /** Runs until its signal is aborted, and tells. */
  function worker(name: string, phase: Phase): Runnable {
    return {
      name,
      phase,
      async start(signal) {
        events.push(`start ${name}`);
        await sleep(60_000, signal);
      },
      async stop() {
        events.push(`stop ${name}`);
      },
    };
  }

  it('starts in the order given, and stops in the order of the phases', async () => {
    const reversed = [...PHASES].reverse().map((phase) => worker(phase, phase));
    const done = runGroup(reversed, { logger: silentLogger(), signal: stop.signal });
    await eventually(() => events.length === PHASES.length);
    stop.abort();
    expect(await done).to.equal(0);
    expect(events.slice(0, PHASES.length)).to.deep.equal(
      [...PHASES].reverse().map((p) => `start ${p}`),
    );
    expect(events.slice(PHASES.length)).to.deep.equal(PHASES.map((p) => `stop ${p}`));
  });

  it('goes on where a start resolves: a server listens, and a loop may be over', async () => {
    const server: Runnable = {
      name: 'server',
      phase: 'ingress',
      start: async () => {
        events.push('listening');
      },
    };
    const done = runGroup([server, worker('loop', 'workers')], {
      logger: silentLogger(),
      signal: stop.signal,
    });
    await eventually(() => events.includes('start loop'));
    stop.abort();
    expect(await done).to.equal(0);
    expect(events).to.deep.equal(['listening', 'start loop', 'stop loop']);
  });

  it('stops all and throws the first failure', async () => {
    const failure = new AppError('address-in-use', 'the port is taken');
    const broken: Runnable = {
      name: 'broken',
      phase: 'ingress',
      start: () => Promise.reject(failure),
    };
    const logger = memoryLogger();
    let thrown: unknown;
    try {
      await runGroup([worker('a', 'workers'), broken, worker('b', 'ports')], {
        logger,
        signal: stop.signal,
      });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).to.equal(failure);
    expect(events).to.deep.equal(['start a', 'start b', 'stop a', 'stop b']);
    expect(logger.lines[0]).to.deep.include({
      level: 'error',
      message: 'component failed, stopping',
    });
    expect(logger.lines[0]?.fields).to.deep.include({ component: 'broken' });
  });

  it('goes on to the next phase where a part does not stop in time, says so, and exits with 1', async () => {
    const stuck: Runnable = {
      name: 'stuck',
      phase: 'ingress',
      stop: () => new Promise(() => undefined),
    };
    const logger = memoryLogger();
    const done = runGroup([stuck, worker('after', 'ports')], {
      logger,
      signal: stop.signal,
      limitsMs: { ingress: 20 },
    });
    await eventually(() => events.includes('start after'));
    stop.abort();
    expect(await done).to.equal(1);
    expect(events).to.include('stop after');
    expect(logger.lines.map((line) => line.fields['component'])).to.deep.equal(['stuck']);
  });

  it('exits with 1 where stopping fails, also at once', async () => {
    const throws: Runnable = {
      name: 'throws',
      phase: 'ports',
      stop: () => {
        throw new Error('no');
      },
    };
    stop.abort();
    expect(await runGroup([throws], { logger: silentLogger(), signal: stop.signal })).to.equal(1);
  });

  it('starts nothing where it is stopped before', async () => {
    stop.abort();
    expect(
      await runGroup([worker('a', 'workers')], { logger: silentLogger(), signal: stop.signal }),
    ).to.equal(0);
    expect(events).to.deep.equal(['stop a']);
  });

  it('waits for work that is being ended before it goes on to the next phase', async () => {
    const slow: Runnable = {
      name: 'slow',
      phase: 'workers',
      async start(signal) {
        await new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => setTimeout(resolve, 30));
        });
        events.push('slow ended');
      },
    };
    const done = runGroup([slow, worker('port', 'ports')], {
      logger: silentLogger(),
      signal: stop.signal,
    });
    await eventually(() => events.includes('start port'));
    stop.abort();
    expect(await done).to.equal(0);
    expect(events).to.deep.equal(['start port', 'slow ended', 'stop port']);
  });
});
