// The procedure over fakes that note what is done, in order.
import { expect } from 'chai';
import type { LockOutcome } from '../../../../agent/manager-api/cluster-locks.js';
import type { InfluxdSwitch, StopHooks } from '../../../../agent/restart/influxd-switch.js';
import type { RestartResult } from '../../../../agent/restart/procedure.js';
import { RestartProcedure } from '../../../../agent/restart/procedure.js';
import type { StopInfluxd } from '../../../../agent/restart/restart-writer.js';
import type { TickMode, TickReport } from '../../../../agent/sync/port.js';
import type { NodeBody } from '../../../../shared/api/nodes.js';
import { AppError, messageOf } from '../../../../shared/errors/app-error.js';
import type { Clock } from '../../../../shared/lifecycle/clock.js';
import { sleep } from '../../../../shared/lifecycle/backoff.js';
import { silentLogger } from '../../../../shared/log/logger.js';
import { keyOf } from '../../../../shared/meta/model.js';

const QUICK: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  // Nothing here depends on time; the renewals of a lock alone are not wanted.
  sleep: (ms, signal) => sleep(ms > 5_000 ? ms : 0, signal),
};

describe('the restart procedure', () => {
  let done: string[];
  let isWanted: boolean;
  let answers: boolean;
  let note: boolean;
  let members: Pick<NodeBody, 'id' | 'hostname' | 'alive' | 'uid' | 'state'>[];
  let lock: () => LockOutcome;
  let results: RestartResult[];
  let signal: AbortSignal;
  let stop: (hooks: StopHooks) => Promise<void>;
  let start: () => Promise<void>;
  let write: () => void;
  let procedure: RestartProcedure;
  let influxd: InfluxdSwitch;

  beforeEach(() => {
    done = [];
    isWanted = true;
    answers = true;
    note = false;
    results = [];
    ({ signal } = new AbortController());
    members = [
      { id: 1, uid: 'me', hostname: 'a', alive: true, state: 'pending' },
      { id: 2, uid: 'you', hostname: 'b', alive: true, state: 'in-step' },
    ];
    lock = () => ({ kind: 'held', fence: 7 });
    stop = async ({ beforeStop, whenEnded }) => {
      await beforeStop();
      done.push('stop');
      whenEnded();
    };
    start = async () => void done.push('start');
    write = () => {
      isWanted = false;
    };
    influxd = { how: 'signal', stop: (hooks) => stop(hooks), start: () => start() };
    let armed: StopInfluxd | undefined;
    procedure = new RestartProcedure({
      cluster: 'plant',
      holder: 'me',
      nodeId: () => 1,
      refresh: async () => true,
      reconciler: {
        tick: async (mode) => (mode.offline ? offlineTick(armed) : report(mode)),
      },
      writer: {
        arm: (with_) => (armed = with_),
        disarm: () => (armed = undefined),
      },
      locks: {
        acquire: async () => {
          done.push('lock');
          return lock();
        },
        release: async () => void done.push('release'),
        members: async () => {
          done.push('members');
          return members as NodeBody[];
        },
      },
      ping: async () => (answers ? 'here' : undefined),
      note: {
        write: async () => {
          done.push('note');
          note = true;
        },
        remove: async () => {
          done.push('no note');
          note = false;
        },
        isThere: async () => note,
      },
      clock: QUICK,
      logger: silentLogger(),
      onRestarting: (is) => done.push(is ? 'down' : 'up'),
      onOutcome: (result) => results.push(result),
    });
  });

  /** As the reconciler and its offline applier do it: what stands against the write is in the report. */
  async function offlineTick(armed: StopInfluxd | undefined): Promise<TickReport> {
    try {
      await armed?.(write, signal);
      return report({ offline: true });
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'aborted') throw error;
      const outcome = error.code === 'influxd-running' ? 'blocked' : 'changed';
      return { ...report({ offline: true }), outcome, sentence: messageOf(error), pending: [] };
    }
  }

  function report({ offline }: Pick<TickMode, 'offline'>): TickReport {
    const object = keyOf({ kind: 'user', path: ['ann'] });
    const pending = { object, reason: 'a hash', remedy: '', needsOffline: true as const };
    return {
      outcome: 'no-action',
      sentence: 'in step',
      version: 1,
      inStep: true,
      pending: isWanted && !offline ? [pending] : [],
      held: [],
      steps: [],
    };
  }

  it('looks at the members and renews the lock right before it stops influxd, and starts it', async () => {
    const outcome = await procedure.run(influxd, signal);
    expect(outcome).to.deep.equal({ kind: 'restarted', objects: ['user ann'] });
    expect(done.join(', ')).to.equal(
      'lock, note, members, lock, down, stop, start, no note, up, release',
    );
    expect(results).to.deep.equal([outcome]);
  });

  it('does nothing where nothing waits for it', async () => {
    isWanted = false;
    expect(await procedure.run(influxd, signal)).to.deep.equal({ kind: 'nothing' });
    expect(done).to.deep.equal([]);
  });

  async function expectWaits(why: RegExp): Promise<void> {
    const outcome = await procedure.run(influxd, signal);
    expect(outcome).to.have.property('kind', 'waits');
    expect(outcome).to.have.property('why').that.matches(why);
    expect(done).not.to.include('stop');
    expect(note).to.equal(false);
    expect(results).to.deep.equal([]);
  }

  it('waits for the node that has the lock, and names it', async () => {
    lock = () => ({ kind: 'taken', holder: 'you', expiresInMs: 5_000 });
    await expectWaits(/node 2 \(b\) restarts/);
  });

  it('waits while another member is down', async () => {
    members[1]!.alive = false;
    await expectWaits(/node 2 \(b\) is down/);
    expect(done.at(-1)).to.equal('release');
  });

  it('leaves influxd alone where the lock was lost between', async () => {
    let fence = 0;
    lock = () => ({ kind: 'held', fence: (fence += 1) });
    await expectWaits(/lock of the cluster was lost/);
  });

  it('leaves influxd alone while no manager answers, also from one moment to the next', async () => {
    const away = () => {
      throw new AppError('manager-unreachable', 'no manager answers');
    };
    let calls = 0;
    lock = () => ((calls += 1) > 1 ? away() : { kind: 'held', fence: 1 });
    await expectWaits(/no manager answers/);
    lock = away;
    await expectWaits(/no manager answers/);
  });

  it('starts influxd where meta.db could not be written, and tries it again', async () => {
    let writes = 0;
    write = () => {
      writes += 1;
      if (writes === 1) throw new AppError('state-unwritable', 'no space left');
      isWanted = false;
    };
    expect(await procedure.run(influxd, signal)).to.have.property('kind', 'restarted');
    expect(done.filter((each) => each === 'start')).to.have.length(2);
  });

  it('gives up a race against a quick supervisor after three, and says what to do', async () => {
    stop = async ({ beforeStop, whenEnded }) => {
      await beforeStop();
      done.push('stop');
      whenEnded('influxd was started again');
    };
    const outcome = await procedure.run(influxd, signal);
    expect(outcome).to.have.property('kind', 'failed');
    expect(outcome)
      .to.have.property('why')
      .that.matches(/started again; tried 3 times.*RestartSec/);
    expect(done.filter((each) => each === 'stop')).to.have.length(3);
    expect(isWanted).to.equal(true);
  });

  it('says why influxd could not be stopped, at once', async () => {
    stop = async () => {
      throw new AppError('influxd-running', 'no influxd is visible here');
    };
    const outcome = await procedure.run(influxd, signal);
    expect(outcome).to.have.property('kind', 'failed');
    expect(outcome).to.have.property('why').that.contains('no influxd is visible here');
    expect(note).to.equal(false);
  });

  it('goes on starting an influxd that does not start', async () => {
    let tries = 0;
    start = async () => {
      tries += 1;
      if (tries < 4) throw new AppError('influxd-unreachable', 'it does not start');
    };
    expect(await procedure.run(influxd, signal)).to.have.property('kind', 'restarted');
    expect(tries).to.equal(4);
  });

  it('has influxd started also where the agent ends in between, and leaves the note', async () => {
    const ending = new AbortController();
    ({ signal } = ending);
    stop = async ({ beforeStop, whenEnded }) => {
      await beforeStop();
      ending.abort();
      whenEnded();
    };
    start = async () => {
      done.push('start');
      throw new AppError('aborted', 'the agent ends');
    };
    const error: unknown = await procedure.run(influxd, signal).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('code', 'aborted');
    expect(done).to.include('start');
    expect(note).to.equal(true);
  });

  it('starts the influxd that a killed agent left stopped, gives its lock back, and only that', async () => {
    expect(await procedure.recover(influxd, signal)).to.equal(false);
    note = true;
    answers = false;
    expect(await procedure.recover(influxd, signal)).to.equal(true);
    expect(done).to.deep.equal(['start', 'no note', 'release']);
    note = true;
    answers = true;
    expect(await procedure.recover(influxd, signal)).to.equal(true);
    expect(done).to.deep.equal(['start', 'no note', 'release', 'no note', 'release']);
  });
});
