import { expect } from 'chai';
import type { InfluxdSwitch } from '../../../../agent/restart/influxd-switch.js';
import { RestartKeeper } from '../../../../agent/restart/keeper.js';
import type { RestartOutcome } from '../../../../agent/restart/procedure.js';
import type { PendingItem, TickReport } from '../../../../agent/sync/port.js';
import { fakeClock, type FakeClock } from '../../../../shared/lifecycle/clock.js';
import { memoryLogger, silentLogger } from '../../../../shared/log/logger.js';
import { keyOf } from '../../../../shared/meta/model.js';

const INFLUXD: InfluxdSwitch = {
  how: 'command',
  stop: () => Promise.resolve(),
  start: () => Promise.resolve(),
};

describe('the keeper of restarts', () => {
  let clock: FakeClock;
  let stop: AbortController;
  let runsAtMs: number[];
  let outcome: RestartOutcome;
  let recovered: number;
  let news: number;
  let running: Promise<void>;
  beforeEach(() => {
    clock = fakeClock();
    stop = new AbortController();
    runsAtMs = [];
    outcome = { kind: 'restarted', objects: ['user u'] };
    recovered = 0;
    news = 0;
  });
  afterEach(async () => {
    stop.abort();
    await running;
  });

  function keeper(influxd: InfluxdSwitch | undefined = INFLUXD): RestartKeeper {
    const made = new RestartKeeper({
      procedure: {
        run: async () => {
          runsAtMs.push(clock.monotonicMs());
          return outcome;
        },
        recover: async () => (recovered += 1) > 0,
        isInterrupted: async () => false,
      },
      influxd,
      intervalMs: 60_000,
      clock,
      logger: silentLogger(),
      onNews: () => (news += 1),
    });
    running = made.start(stop.signal);
    return made;
  }

  function reportOf(...users: string[]): TickReport {
    const pending = users.map((name): PendingItem => ({
      object: keyOf({ kind: 'user', path: [name] }),
      reason: 'a hash',
      remedy: 'as the applier says',
      needsOffline: true,
    }));
    const other: PendingItem = {
      object: keyOf({ kind: 'user', path: ['x'] }),
      reason: 'r',
      remedy: 'm',
    };
    return {
      outcome: 'no-action',
      sentence: 's',
      version: 1,
      inStep: true,
      pending: [...pending, other],
      held: [],
      steps: [],
    };
  }

  it('starts what a crash left stopped first of all, and restarts nothing that nobody needs', async () => {
    const made = keeper();
    made.explained(reportOf());
    await clock.advance(600_000);
    expect([recovered, runsAtMs]).to.deep.equal([1, []]);
  });

  it('waits until nothing new has come for two seconds: many users cost one restart', async () => {
    const made = keeper();
    const users: string[] = [];
    for (let i = 0; i < 10; i += 1) {
      users.push(`u${i}`);
      made.explained(reportOf(...users));
      await clock.advance(1_000);
    }
    expect(runsAtMs).to.deep.equal([]);
    made.explained(reportOf(...users));
    await clock.advance(1_000);
    expect(runsAtMs).to.deep.equal([11_000]);
  });

  it('does not wait for ever where users come without end', async () => {
    const made = keeper();
    const users: string[] = [];
    while (runsAtMs.length === 0 && users.length < 100) {
      users.push(`u${users.length}`);
      made.explained(reportOf(...users));
      await clock.advance(1_000);
    }
    expect(runsAtMs[0]).to.be.within(29_000, 32_000);
  });

  it('restarts not more often than it may, and says when it will', async () => {
    const made = keeper();
    made.explained(reportOf('a'));
    await clock.advance(2_000);
    made.explained(reportOf());
    made.explained(reportOf('b'));
    await clock.advance(10_000);
    expect(made.explained(reportOf('b')).pending[0]?.remedy).to.match(/again in \d+ s/);
    await clock.advance(50_000);
    expect(runsAtMs).to.deep.equal([2_000, 62_000]);
  });

  it('says why it waits in the words of what is pending, and asks again soon', async () => {
    const made = keeper();
    outcome = { kind: 'waits', why: 'waits: node 2 (b) is down' };
    made.explained(reportOf('a'));
    await clock.advance(2_000);
    const [first, second] = made.explained(reportOf('a')).pending;
    expect(first?.remedy).to.equal('waits: node 2 (b) is down');
    expect(second?.remedy).to.equal('m');
    expect(news).to.equal(1);
    outcome = { kind: 'restarted', objects: ['user a'] };
    await clock.advance(1_000);
    expect(runsAtMs).to.have.length(2);
  });

  it('tries a failed restart again after a minute', async () => {
    const made = keeper();
    outcome = { kind: 'failed', why: 'exit code 1' };
    made.explained(reportOf('a'));
    await clock.advance(2_000);
    expect(made.explained(reportOf('a')).pending[0]?.remedy).to.contain('exit code 1');
    await clock.advance(59_000);
    expect(runsAtMs).to.have.length(1);
    await clock.advance(1_000);
    expect(runsAtMs).to.have.length(2);
  });

  it('restarts nothing where that is off, and says what to do, also where one was cut short', async () => {
    running = Promise.resolve();
    const logger = memoryLogger();
    const made = new RestartKeeper({
      procedure: {
        run: () => expect.fail('ran'),
        recover: () => expect.fail('recovered'),
        isInterrupted: async () => true,
      },
      influxd: undefined,
      intervalMs: 1_000,
      clock,
      logger,
      onNews: () => undefined,
    });
    await made.start(stop.signal);
    expect(logger.lines.at(-1)?.message).to.match(/stopped for a restart that did not end/);
    const [item] = made.explained(reportOf('a')).pending;
    expect(item?.remedy).to.contain('clusterflux agent apply --restart');
  });
});
