import { expect } from 'chai';
import type { AgentEvent } from '../../../../agent/events/event-reporter.js';
import { EventReporter } from '../../../../agent/events/event-reporter.js';
import type { EventReport } from '../../../../shared/api/events.js';
import { AppError } from '../../../../shared/errors/app-error.js';
import { systemClock } from '../../../../shared/lifecycle/clock.js';
import { silentLogger } from '../../../../shared/log/logger.js';
import { eventually } from '../../../support/eventually.js';

const event = (n: number): AgentEvent => ({ kind: 'join', text: `event ${n}`, key: `k${n}` });

describe('telling the managers of events', () => {
  const stop = new AbortController();
  const posted: EventReport[] = [];
  let isAway = false;
  let isRefused = false;
  let nodeId: number | undefined;
  let naps = 0;
  const reporter = new EventReporter({
    cluster: 'c',
    uid: 'u',
    nodeId: () => nodeId,
    api: {
      post: async (_cluster, body) => {
        if (isAway) throw new AppError('manager-unreachable', 'away');
        posted.push(body);
        return !isRefused;
      },
    },
    clock: {
      // Pauses between attempts take no time; idling lasts until there is news.
      sleep: (ms, signal) => {
        naps += 1;
        return systemClock().sleep(ms > 10_000 ? ms : 1, signal);
      },
    },
    logger: silentLogger(),
  });
  const texts = () => posted.map(({ text }) => text);
  let running: Promise<void>;

  before(() => {
    running = reporter.start(stop.signal);
  });
  after(async () => {
    stop.abort();
    await running;
  });

  it('waits for a registration, then tells in order, with keys of its own', async () => {
    reporter.report(event(1));
    reporter.report(event(2));
    const before = naps;
    await eventually(() => expect(naps).to.be.above(before + 1));
    expect(posted).to.deep.equal([]);
    nodeId = 7;
    await eventually(() => expect(texts()).to.deep.equal(['event 1', 'event 2']));
    expect(posted[0]).to.deep.equal({ node: 7, kind: 'join', text: 'event 1', key: 'u:k1' });
  });

  it('keeps what it could not tell until a manager answers, and the newest when there is too much', async () => {
    isAway = true;
    posted.length = 0;
    for (let n = 0; n < 300; n += 1) reporter.report(event(n));
    isAway = false;
    await eventually(() => expect(texts().at(-1)).to.equal('event 299'));
    expect(posted).to.have.lengthOf(200);
  });

  it('goes on after one that a manager refuses', async () => {
    isRefused = true;
    posted.length = 0;
    reporter.report(event(1));
    reporter.report(event(2));
    await eventually(() => expect(posted).to.have.lengthOf(2));
  });
});
