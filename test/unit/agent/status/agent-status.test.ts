// Readiness tells the truth about this node, and about this node only.
import { expect } from 'chai';
import { AgentStatus } from '../../../../agent/status/agent-status.js';
import { createAgentMetrics } from '../../../../agent/status/metrics.js';
import type { TickReport } from '../../../../agent/sync/port.js';
import { fakeClock } from '../../../../shared/lifecycle/clock.js';
import { keyOf } from '../../../../shared/meta/model.js';
import { Registry } from 'prom-client';
import { errorOf } from '../manager-api/errors.js';

const MEMBER = { kind: 'member', id: 3 } as const;
const REFUSED = { kind: 'refused', code: 'influxd-in-use', sentence: 'why' } as const;
const database = keyOf({ kind: 'database', path: ['d'] });

function report(more: Partial<TickReport> = {}): TickReport {
  return {
    outcome: 'no-action',
    sentence: 'in step at version 4',
    version: 4,
    inStep: true,
    pending: [],
    held: [],
    steps: [],
    ...more,
  };
}

describe('the status of an agent', () => {
  const clock = fakeClock();
  let status: AgentStatus;
  beforeEach(() => {
    status = new AgentStatus({ cluster: 'c', readyTimeoutMs: 10_000, clock, hints: () => [] });
  });

  const isReady = () => status.readiness().ready;

  it('is ready when registered, in step, taking points, and influxd answers', () => {
    expect(isReady()).to.equal(false);
    status.noteInfluxd('1.6.7');
    expect(status.readiness().detail).to.include('first look');
    status.noteReport(report({ inStep: false, outcome: 'waiting', sentence: 'nobody' }));
    expect(status.readiness().detail).to.include('not registered');
    status.noteStanding(MEMBER);
    status.noteReport(report({ inStep: false, outcome: 'waiting', sentence: 'no manager' }));
    expect(status.readiness().detail).to.include('no manager');
    status.noteReport(report());
    expect(status.readiness().detail).to.include('does not take points yet');
    status.noteServing();
    expect(isReady()).to.equal(true);
  });

  it('is ready without a manager once the timeout is over, and never without influxd', async () => {
    status.noteInfluxd('1.6.7');
    status.noteReport(report({ inStep: false, outcome: 'waiting' }));
    await clock.advance(9_999);
    expect(isReady()).to.equal(false);
    await clock.advance(1);
    expect(isReady()).to.equal(true);
    status.noteInfluxd(undefined);
    expect(status.readiness()).to.deep.equal({
      ready: false,
      detail: 'the local influxd does not answer',
    });
  });

  it('says why a manager refuses it, instead of waiting for a registration', () => {
    status.noteInfluxd('1.6.7');
    status.noteReport(report({ inStep: false, outcome: 'blocked', sentence: 'blocked' }));
    status.noteStanding({
      ...REFUSED,
      sentence: 'this agent changes nothing: another has its uid',
    });
    expect(status.readiness()).to.deep.equal({
      ready: false,
      detail: 'this agent changes nothing: another has its uid',
    });
  });

  it('stays ready when it falls out of step later', () => {
    status.noteInfluxd('1.6.7');
    status.noteStanding(MEMBER);
    status.noteReport(report());
    status.noteServing();
    status.noteReport(report({ inStep: false, outcome: 'waiting' }));
    expect(isReady()).to.equal(true);
  });

  it('has started when the first tick as a member ended and the node takes points', async () => {
    const { signal } = new AbortController();
    let hasStarted = false;
    const started = status.whenStarted(signal).then(() => (hasStarted = true));
    status.noteReport(report({ outcome: 'waiting', inStep: false }));
    status.noteStanding(MEMBER);
    await clock.advance(0);
    expect(hasStarted).to.equal(false);
    status.noteReport(report());
    await clock.advance(0);
    expect(hasStarted).to.equal(false);
    status.noteServing();
    await started;
    await clock.advance(0);
    expect(clock.sleepers).to.equal(0);
  });

  it('has started when the timeout is over, and not before a tick ended', async () => {
    const { signal } = new AbortController();
    let hasStarted = false;
    const started = status.whenStarted(signal).then(() => (hasStarted = true));
    await clock.advance(20_000);
    expect(hasStarted).to.equal(false);
    status.noteReport(report({ outcome: 'waiting', inStep: false }));
    await started;
  });

  it('stops waiting for its start when the agent stops', async () => {
    const stop = new AbortController();
    const started = errorOf(status.whenStarted(stop.signal));
    stop.abort();
    expect(await started).to.have.property('code', 'aborted');
    expect(await errorOf(status.whenStarted(stop.signal))).to.have.property('code', 'aborted');
    await clock.advance(0);
    expect(clock.sleepers).to.equal(0);
  });

  it('waits a moment for the first answer of a manager, and no longer', async () => {
    const { signal } = new AbortController();
    const answered = status.whenAnswered(signal);
    status.noteStanding(REFUSED);
    await answered;
    const other = new AgentStatus({ cluster: 'c', readyTimeoutMs: 10_000, clock, hints: () => [] });
    let isOver = false;
    const waiting = other.whenAnswered(signal).then(() => (isOver = true));
    await clock.advance(499);
    expect(isOver).to.equal(false);
    await clock.advance(1);
    await waiting;
    expect(clock.sleepers).to.equal(0);
  });

  it('shows objects in words', () => {
    status.noteStanding(MEMBER);
    status.noteReport(
      report({
        pending: [{ object: database, reason: 'r', remedy: 'm' }],
        held: [{ id: 'i', object: database, kind: 'join', why: 'w', command: 'c' }],
      }),
    );
    expect(status.view()).to.deep.equal({
      node: 3,
      cluster: 'c',
      version: 4,
      sentence: 'in step at version 4',
      'in-step': true,
      pending: [{ object: 'database d', reason: 'r', remedy: 'm' }],
      held: [{ id: 'i', object: 'database d', kind: 'join', why: 'w', command: 'c' }],
      hints: [],
      shards: [],
      influxd: { answers: false, version: null },
    });
  });

  it('has one word for the registry', () => {
    expect(status.state).to.equal('starting');
    status.noteReport(report());
    expect(status.state).to.equal('in-step');
    status.noteReport(report({ pending: [{ object: database, reason: '', remedy: '' }] }));
    expect(status.state).to.equal('pending');
    status.noteReport(report({ outcome: 'changed', inStep: false }));
    expect(status.state).to.equal('syncing');
    expect(status.appliedVersion).to.equal(4);
    status.noteStanding(REFUSED);
    expect(status.state).to.equal('refused');
    expect(status.view().node).to.equal(null);
  });

  it('is in the metrics', async () => {
    const registry = new Registry();
    const metrics = createAgentMetrics(registry, status);
    status.noteStanding(MEMBER);
    status.noteReport(report());
    metrics.noteReport(
      report({ steps: [{ object: database, direction: 'push', text: 'database d: created' }] }),
    );
    metrics.noteTick(20);
    metrics.noteManagers(false);
    const text = await registry.metrics();
    for (const line of [
      'clusterflux_agent_version 4',
      'clusterflux_agent_in_step 1',
      'clusterflux_agent_registered 1',
      'clusterflux_agent_influxd_up 0',
      'clusterflux_agent_managers_available 0',
      'clusterflux_agent_ticks_total{outcome="no-action"} 1',
      'clusterflux_agent_steps_total{direction="push"} 1',
      'clusterflux_agent_tick_duration_seconds_count 1',
    ]) {
      expect(text).to.include(`${line}\n`);
    }
  });
});
