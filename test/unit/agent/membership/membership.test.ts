// Membership keeps the node listed through every fault of the managers, and stops the agent where they say so.
import { expect } from 'chai';
import { createFakeRegistry } from '../../../../agent/membership/fake-membership-api.js';
import { GatedReconciler } from '../../../../agent/membership/gated-reconciler.js';
import type { MembershipDeps, Standing } from '../../../../agent/membership/membership.js';
import { Membership } from '../../../../agent/membership/membership.js';
import { Availability } from '../../../../agent/manager-api/availability.js';
import type { Identity } from '../../../../agent/state/identity.js';
import { withCandidate, withConfirmed } from '../../../../agent/state/identity.js';
import type { TickReport } from '../../../../agent/sync/port.js';
import { LIVE_MODE } from '../../../../agent/sync/port.js';
import { AppError } from '../../../../shared/errors/app-error.js';
import { fakeClock } from '../../../../shared/lifecycle/clock.js';
import { memoryLogger } from '../../../../shared/log/logger.js';

/** The state directory without a disk. */
class MemoryState {
  identity: Identity = {
    uid: 'u',
    cluster: 'c',
    nodeId: undefined,
    confirmedSession: undefined,
    candidates: [],
  };
  isFull = false;
  private sessions = 0;

  async beginSession(): Promise<string> {
    const session = `s${++this.sessions}`;
    this.identity = withCandidate(this.identity, session);
    return session;
  }

  async confirm(session: string, nodeId: number): Promise<void> {
    if (this.isFull) throw new AppError('state-unwritable', 'no space left');
    this.identity = withConfirmed(this.identity, session, nodeId);
  }
}

function setUp(more: Partial<MembershipDeps> = {}) {
  const registry = createFakeRegistry();
  const clock = fakeClock();
  const logger = memoryLogger();
  const state = new MemoryState();
  const standings: Standing[] = [];
  const changes: boolean[] = [];
  let news = 0;
  let running: Promise<void> | undefined;
  let stop = new AbortController();
  let membership: Membership;

  const deps: MembershipDeps = {
    cluster: 'c',
    api: registry,
    state,
    clock,
    logger,
    availability: new Availability(logger, (isAvailable) => changes.push(isAvailable)),
    heartbeatIntervalMs: 5_000,
    deregisterOnStop: false,
    describe: () => ({
      hostname: 'h',
      ips: [],
      bindAddress: 'h:1',
      versions: {},
      influxd: undefined,
    }),
    report: () => ({
      version: 1,
      state: 'in-step',
      influxd: undefined,
      pending: 0,
      held: undefined,
      hints: [],
    }),
    onOrders: () => Promise.resolve(),
    onStanding: (standing) => standings.push(standing),
    onNews: () => (news += 1),
    onDataPlaneNews: () => undefined,
    ...more,
  };
  return {
    registry,
    clock,
    logger,
    state,
    standings,
    changes,
    news: () => news,
    nodeId: () => membership.nodeId,
    async start() {
      stop = new AbortController();
      membership = new Membership(deps);
      running = membership.start(stop.signal);
      await clock.advance(0);
    },
    async stop() {
      stop.abort();
      await membership.stop();
      await running;
    },
  };
}

describe('membership', () => {
  it('registers, confirms the session and sends heartbeats', async () => {
    const agent = setUp();
    await agent.start();
    expect(agent.nodeId()).to.equal(1);
    expect(agent.state.identity).to.include({ nodeId: 1, confirmedSession: 's1' });
    await agent.clock.advance(15_000);
    expect(agent.registry.calls).to.deep.equal(['register', 'refresh', 'refresh', 'refresh']);
    expect(agent.registry.nodes.get('u')?.heartbeat).to.include({ session: 's1', version: 1 });
    await agent.stop();
    expect(agent.clock.sleepers).to.equal(0);
  });

  it('sends heartbeats as often as the manager asks, where that is more often', async () => {
    const agent = setUp();
    agent.registry.heartbeatIntervalMs = 1_000;
    agent.registry.ttlMs = 3_000;
    await agent.start();
    await agent.clock.advance(3_000);
    expect(agent.registry.calls).to.have.length(4);
    await agent.stop();
  });

  it('keeps its id over restarts, a lost answer and a confirmation that did not reach the disk', async () => {
    const agent = setUp();
    agent.registry.isNextAnswerLost = true;
    await agent.start();
    expect(agent.nodeId()).to.equal(undefined);
    await agent.stop(); // killed before it knew
    agent.state.isFull = true;
    await agent.start();
    expect(agent.nodeId()).to.equal(undefined);
    await agent.stop();
    agent.state.isFull = false;
    await agent.start();
    expect(agent.nodeId()).to.equal(1);
    expect(agent.registry.nodes.size).to.equal(1);
    expect(agent.state.identity.confirmedSession).to.equal(agent.state.identity.candidates.at(-1));
    await agent.stop();
  });

  it('tries every two seconds for ever, and says it once each way', async () => {
    const agent = setUp();
    agent.registry.isAvailable = false;
    await agent.start();
    await agent.clock.advance(60_000);
    expect(agent.registry.calls).to.have.length(31);
    agent.registry.isAvailable = true;
    await agent.clock.advance(2_000);
    expect(agent.nodeId()).to.equal(1);
    expect(agent.changes).to.deep.equal([false, true]);
    const said = agent.logger.lines.map(({ message }) => message);
    expect(said.filter((line) => line.startsWith('no manager'))).to.have.length(1);
    expect(said.filter((line) => line.startsWith('the manager answers'))).to.have.length(1);
    await agent.stop();
  });

  it('stays a member while the managers are away', async () => {
    const agent = setUp();
    await agent.start();
    agent.registry.isAvailable = false;
    await agent.clock.advance(60_000);
    expect(agent.standings).to.deep.equal([{ kind: 'member', id: 1 }]);
    await agent.stop();
  });

  it('registers again when it is not known any more, and has its id again', async () => {
    const agent = setUp();
    await agent.start();
    agent.registry.forgetNodes();
    await agent.clock.advance(5_000);
    expect(agent.registry.calls).to.deep.equal(['register', 'refresh', 'register']);
    expect(agent.standings.map(({ kind }) => kind)).to.deep.equal([
      'member',
      'unregistered',
      'member',
    ]);
    expect(agent.nodeId()).to.equal(1);
    await agent.stop();
  });

  it('stops acting when another process took its place, and says what to do', async () => {
    const agent = setUp();
    await agent.start();
    agent.registry.supersede('u');
    await agent.clock.advance(5_000);
    expect(agent.standings.at(-1)).to.include({ kind: 'refused', code: 'session-superseded' });
    expect(agent.standings.at(-1)).to.have.property('sentence').that.includes('agent rejoin');
    expect(agent.nodeId()).to.equal(undefined);
    await agent.clock.advance(300_000);
    expect(agent.standings.at(-1)).to.include({ kind: 'refused', code: 'state-not-current' });
    await agent.stop();
  });

  it('is refused with the state of an older time', async () => {
    const agent = setUp();
    await agent.start();
    await agent.stop();
    const old = agent.state.identity;
    await agent.start();
    await agent.stop();
    await agent.start();
    await agent.stop();
    agent.state.identity = old;
    agent.standings.length = 0;
    await agent.start();
    expect(agent.standings).to.have.length(1);
    expect(agent.standings[0]).to.include({ kind: 'refused', code: 'state-not-current' });
    await agent.stop();
  });

  it('comes back by itself when a refusal is lifted', async () => {
    const agent = setUp();
    agent.registry.refusal = { kind: 'refused', code: 'influxd-in-use', detail: 'node 2 has it' };
    await agent.start();
    await agent.clock.advance(60_000);
    expect(agent.registry.calls).to.have.length(3);
    expect(agent.logger.lines.filter(({ level }) => level === 'error')).to.have.length(1);
    agent.registry.refusal = undefined;
    await agent.clock.advance(30_000);
    expect(agent.standings.at(-1)).to.deep.equal({ kind: 'member', id: 1 });
    await agent.stop();
  });

  it('tells of a newer version once', async () => {
    const agent = setUp();
    await agent.start();
    const before = agent.news();
    agent.registry.version = 4;
    await agent.clock.advance(15_000);
    expect(agent.news() - before).to.equal(1);
    await agent.stop();
  });

  it('deregisters on stop only where it is asked to', async () => {
    const [stays, goes] = [setUp(), setUp({ deregisterOnStop: true })];
    for (const agent of [stays, goes]) {
      await agent.start();
      await agent.stop();
    }
    expect(stays.registry.nodes.get('u')?.isListed).to.equal(true);
    expect(goes.registry.nodes.get('u')?.isListed).to.equal(false);
    await goes.start();
    expect(goes.nodeId()).to.equal(1);
    goes.registry.isAvailable = false;
    await goes.stop(); // and a manager that is away does not hold it up
  });
});

describe('the reconciler behind the registration', () => {
  const done: TickReport = {
    outcome: 'no-action',
    sentence: 'in step',
    version: 1,
    inStep: true,
    pending: [],
    held: [],
    steps: [],
  };
  let ticks = 0;
  let timed = 0;
  const inner = {
    tick: async () => (ticks++, done),
    lastReport: done,
    nextDueMs: undefined,
    around: async <T>(work: (signal: AbortSignal) => Promise<T>, aborted: AbortSignal) => ({
      result: await work(aborted),
      report: done,
    }),
  };
  let standing: Standing;
  const gated = new GatedReconciler({
    inner,
    standing: () => standing,
    pause: () => undefined,
    clock: fakeClock(),
    onTick: () => (timed += 1),
  });
  const { signal } = new AbortController();

  beforeEach(() => {
    ticks = 0;
    timed = 0;
  });

  it('does nothing before a manager has accepted the agent, and says so', async () => {
    standing = { kind: 'unregistered' };
    expect(await gated.tick(LIVE_MODE, signal)).to.include({ outcome: 'waiting' });
    standing = { kind: 'refused', code: 'x', sentence: 'why' };
    expect(await gated.tick(LIVE_MODE, signal)).to.include({ outcome: 'blocked', sentence: 'why' });
    expect(gated.lastReport).to.include({ sentence: 'why' });
    expect(ticks).to.equal(0);
  });

  it('may look in the meantime, and acts once it is a member', async () => {
    standing = { kind: 'refused', code: 'x', sentence: 'why' };
    expect(await gated.tick({ ...LIVE_MODE, dryRun: true }, signal)).to.equal(done);
    standing = { kind: 'member', id: 1 };
    expect(await gated.tick(LIVE_MODE, signal)).to.equal(done);
    expect(gated.lastReport).to.equal(done);
    expect([ticks, timed]).to.deep.equal([2, 2]);
  });
});
