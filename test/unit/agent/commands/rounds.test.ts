import { expect } from 'chai';
import type { Rounds } from '../../../../agent/commands/rounds.js';
import { RETRY_MS, runRounds } from '../../../../agent/commands/rounds.js';
import type { TickMode, TickReport } from '../../../../agent/sync/port.js';
import { LIVE_MODE } from '../../../../agent/sync/port.js';
import { AppError } from '../../../../shared/errors/app-error.js';
import type { FakeClock } from '../../../../shared/lifecycle/clock.js';
import { fakeClock } from '../../../../shared/lifecycle/clock.js';
import { eventually } from '../../../support/eventually.js';

const AWAY = new AppError('manager-unreachable', 'no manager answers', { retryable: true });

function reportOf(outcome: TickReport['outcome'], step?: string): TickReport {
  return {
    outcome,
    sentence: `the sentence of ${outcome}`,
    version: 3,
    inStep: outcome === 'no-action',
    pending: [],
    held: [],
    steps: step === undefined ? [] : [{ object: undefined, direction: 'apply', text: step }],
  };
}

describe('the rounds of a one-off command', () => {
  let clock: FakeClock;
  let ticks: number;
  beforeEach(() => {
    clock = fakeClock();
    ticks = 0;
  });

  /** Each tick is the next of these; the last one is repeated. */
  function run(
    answers: readonly (TickReport | Error)[],
    more: Partial<Omit<Rounds, 'mode'>> & { readonly mode?: Partial<TickMode> } = {},
  ): Promise<TickReport> {
    return runRounds({
      tick: async () => {
        const answer = answers[Math.min(ticks, answers.length - 1)]!;
        ticks += 1;
        if (answer instanceof Error) throw answer;
        return answer;
      },
      cluster: 'plant',
      waitMs: 0,
      clock,
      signal: new AbortController().signal,
      ...more,
      mode: { ...LIVE_MODE, ...more.mode },
    });
  }

  it('goes on while something changes, and reports the steps of all ticks', async () => {
    const report = await run([
      reportOf('changed', 'a'),
      reportOf('changed', 'b'),
      reportOf('no-action'),
    ]);
    expect(report.steps.map(({ text }) => text)).to.deep.equal(['a', 'b']);
    expect(report).to.include({
      outcome: 'changed',
      inStep: true,
      sentence: 'applied 2 changes; plant at version 3',
    });
  });

  it('says after an offline write that influxd has yet to take it', async () => {
    const report = await run([reportOf('changed', 'a'), reportOf('no-action')], {
      mode: { offline: true },
    });
    expect(report.sentence).to.match(/influxd takes meta\.db at its next start$/);
  });

  it('ticks once in a dry run, and leaves its sentence alone', async () => {
    const report = await run([reportOf('changed', 'a')], { mode: { dryRun: true } });
    expect(ticks).to.equal(1);
    expect(report.sentence).to.equal('the sentence of changed');
  });

  for (const outcome of ['blocked', 'failed'] as const) {
    it(`ends at once with ${outcome}, whatever the wait, and keeps what was done before`, async () => {
      const report = await run([reportOf('changed', 'a'), reportOf(outcome)], { waitMs: 20_000 });
      expect(report).to.include({ outcome, sentence: `the sentence of ${outcome}` });
      expect(report.steps).to.have.lengthOf(1);
    });
  }

  it('tries once without a wait, and gives what stood against it', async () => {
    expect(await run([AWAY]).catch((error: unknown) => error)).to.equal(AWAY);
    expect(await run([reportOf('waiting')])).to.include({ outcome: 'waiting' });
    expect(ticks).to.equal(2);
  });

  it('goes on when who was away comes back within the wait', async () => {
    const running = run([AWAY, reportOf('waiting'), reportOf('no-action')], { waitMs: 20_000 });
    for (const expected of [1, 2]) {
      await eventually(() => ticks === expected && clock.sleepers === 1);
      await clock.advance(RETRY_MS);
    }
    expect(await running).to.include({ outcome: 'no-action' });
  });

  it('gives up when the wait is over', async () => {
    const running = run([AWAY], { waitMs: 2 * RETRY_MS }).catch((error: unknown) => error);
    for (const expected of [1, 2]) {
      await eventually(() => ticks === expected && clock.sleepers === 1);
      await clock.advance(RETRY_MS);
    }
    expect(await running).to.equal(AWAY);
    expect(ticks).to.equal(3);
  });

  it('passes on what ends the command', async () => {
    const error = new AppError('unauthorized', 'no');
    expect(await run([error], { waitMs: 1_000 }).catch((thrown: unknown) => thrown)).to.equal(
      error,
    );
  });

  it('does not work for ever against somebody who changes everything back', async () => {
    const report = run([reportOf('changed')], { waitMs: 0 });
    let isOver = false;
    void report.then(() => (isOver = true));
    while (!isOver) await clock.advance(5_000);
    expect(await report).to.include({ outcome: 'changed', inStep: false });
  });
});
