// The probe notices an influxd that goes and comes, and never fails.
import { expect } from 'chai';
import { InfluxdProbe } from '../../../../agent/status/influxd-probe.js';
import { AppError } from '../../../../shared/errors/app-error.js';
import { fakeClock } from '../../../../shared/lifecycle/clock.js';
import { memoryLogger } from '../../../../shared/log/logger.js';

describe('the probe of the local influxd', () => {
  it('tells who answers, and says it only when that changes', async () => {
    const clock = fakeClock();
    const logger = memoryLogger();
    const looks: (string | undefined)[] = [];
    let version: string | undefined = '1.6.7';
    let run = 1;
    let isRefusing = false;
    const probe = new InfluxdProbe({
      influxd: {
        ping: async () => (version === undefined ? undefined : { version }),
        diagnostics: async () => {
          if (isRefusing) throw new AppError('unauthorized', 'no account');
          return { started: `run ${run}` };
        },
      },
      lineage: () => ({ clusterId: '1', term: '2', index: '3' }),
      clock,
      logger,
      onLook: (seen) => looks.push(seen),
    });
    const stop = new AbortController();
    const running = probe.start(stop.signal);
    await clock.advance(10_000);
    expect(new Set(looks)).to.deep.equal(new Set(['1.6.7']));
    expect(probe.facts).to.deep.equal({ clusterId: '1', term: '2', index: '3', started: 'run 1' });
    version = undefined;
    await clock.advance(10_000);
    expect(looks.at(-1)).to.equal(undefined);
    [version, run, isRefusing] = ['1.6.8', 2, true];
    await clock.advance(10_000);
    expect(probe.facts?.started).to.equal('');
    isRefusing = false;
    await clock.advance(10_000);
    expect(probe.facts?.started).to.equal('run 2');
    expect(probe.answeringVersion).to.equal('1.6.8');
    const said = logger.lines.filter(({ level }) => level !== 'debug');
    expect(said.map(({ level }) => level)).to.deep.equal(['info', 'warn', 'info']);
    stop.abort();
    await running;
    expect(clock.sleepers).to.equal(0);
  });

  it('notices an influxd that was restarted between two looks', async () => {
    const clock = fakeClock();
    let run = 1;
    let asked = 0;
    const probe = new InfluxdProbe({
      influxd: {
        ping: async () => ({ version: '1.6.7' }),
        diagnostics: async () => {
          asked += 1;
          return { started: `run ${run}` };
        },
      },
      lineage: () => ({ clusterId: '1', term: '2', index: '3' }),
      clock,
      logger: memoryLogger(),
      onLook: () => undefined,
    });
    const stop = new AbortController();
    const running = probe.start(stop.signal);
    await clock.advance(20_000);
    expect(asked).to.equal(1);
    run = 2;
    await clock.advance(30_000);
    expect(probe.facts?.started).to.equal('run 2');
    expect(asked).to.equal(2);
    stop.abort();
    await running;
  });
});
