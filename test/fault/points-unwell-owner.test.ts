// The influxd of one owner answers late, breaks off in its answer, or says 500, while its agent and the other nodes are well.
// Writes are hinted, the hints are settled, no point is lost, doubled or strange, and no half answer passes for a whole one.
import { expect } from 'chai';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startHttpProxy, type HttpProxy } from '../support/gateway/http-proxy.js';
import { runOn, SentPoints, untilDirect, untilDrained } from '../support/gateway/sent-points.js';

const HINT_AFTER_MS = 100;
/** Clearly later, and well below every deadline. */
const LATE_MS = 1_000;
const BATCHES = 5;

describe('an owner whose influxd is unwell', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let proxy: HttpProxy;
  let points: SentPoints;

  before(async function () {
    this.timeout(120_000);
    const httpPort = await freePort();
    proxy = await startHttpProxy(httpPort);
    cluster = await startCluster({
      nodes: 2,
      config: {
        handoff: {
          'hint-after': `${HINT_AFTER_MS}ms`,
          'retry-interval': '50ms',
          'retry-max-interval': '200ms',
        },
      },
    });
    await cluster.addNode({ influxd: { httpPort }, config: { influxdb: { url: proxy.url } } });
    await runOn(cluster.nodes[0]!, 'CREATE DATABASE unwell');
    points = new SentPoints('unwell');
    await untilDirect(points, cluster.nodes);
  });
  afterEach(async function () {
    proxy.mood = { kind: 'well' };
    proxy.readMood = 'well';
    if (this.currentTest?.state === 'failed') console.log(await cluster.logTails());
  });
  after(async () => {
    await cluster.stop();
    await proxy.stop();
  });

  it('that answers late gets a hint, which is settled by its answer and never sent', async () => {
    const before = proxy.writes;
    proxy.mood = { kind: 'late-answer', ms: LATE_MS };
    const first = await points.acknowledge(cluster.nodes[0]!);
    expect(first.hinted).to.equal(1);
    expect(first.applied).to.equal(2);
    expect(first.tookMs).to.be.lessThan(LATE_MS);
    await untilDrained(cluster.nodes);
    expect(proxy.writes - before, 'requests that its influxd got').to.equal(1);
  });

  it('that answers late for many batches has them all in the end, once', async () => {
    proxy.mood = { kind: 'late-answer', ms: LATE_MS };
    for (let batch = 0; batch < BATCHES; batch += 1) {
      await points.acknowledge(cluster.nodes[batch % 3]!);
    }
    proxy.mood = { kind: 'well' };
    await points.untilEverywhere(cluster.nodes);
    await untilDirect(points, cluster.nodes);
  });

  it('that is late keeps a client of level all waiting until it has answered', async () => {
    proxy.mood = { kind: 'late-answer', ms: LATE_MS };
    const { tookMs, applied } = await points.acknowledge(cluster.nodes[0]!, { level: 'all' });
    expect(applied).to.equal(3);
    expect(tookMs).to.be.greaterThan(LATE_MS - HINT_AFTER_MS);
    proxy.mood = { kind: 'well' };
    await points.untilEverywhere(cluster.nodes);
  });

  for (const [words, mood] of [
    ['breaks off in the middle of its answers', { kind: 'half-answer' }],
    ['answers 500', { kind: 'error', status: 500, body: '{"error":"engine: cache is closed"}' }],
    ['answers 503 by something between that has no words of influxd', proxied()],
  ] as const) {
    it(`that ${words} is hinted, is not read meanwhile, and has all when it is well again`, async () => {
      proxy.mood = mood;
      for (let batch = 0; batch < BATCHES; batch += 1) {
        const { applied, hinted } = await points.acknowledge(cluster.nodes[batch % 3]!);
        expect({ applied, hinted }).to.deep.equal({ applied: 2, hinted: 1 });
      }
      const { status, code, retry } = await points.send(cluster.nodes[1]!, { level: 'all' });
      expect({ status, code, retry }).to.deep.equal({
        ...{ status: 503, code: 'level-not-reached', retry: 'safe' },
      });
      for (const node of cluster.nodes) {
        const { servedBy } = await points.untilRead(node);
        expect(servedBy, 'the unwell one is behind').to.not.equal(await idOf(2));
      }
      proxy.mood = { kind: 'well' };
      await points.untilEverywhere(cluster.nodes);
      await untilDirect(points, cluster.nodes);
      await eventually(async () => {
        expect((await points.read(cluster.nodes[2]!)).servedBy).to.equal(await idOf(2));
      });
    });
  }

  it('that breaks off before the first byte of an answer is left for another owner', async () => {
    const third = cluster.nodes[2]!;
    proxy.readMood = 'no-body';
    const { servedBy } = await points.untilRead(third);
    expect(servedBy).to.not.equal(await idOf(2));
  });

  it('that breaks off in the middle of an answer breaks off the answer of its gateway', async () => {
    const third = cluster.nodes[2]!;
    const before = await points.read(third);
    expect([before.servedBy, before.status]).to.deep.equal([await idOf(2), 200]);
    proxy.readMood = 'half-body';
    const broken = await points.read(third).catch((error: unknown) => error);
    // As fetch says it, with or without the head of the answer.
    expect(broken).to.be.instanceOf(TypeError);
    expect((broken as Error).message).to.match(/^(terminated|fetch failed)$/);
    proxy.readMood = 'well';
    await points.untilRead(third);
  });

  async function idOf(node: number): Promise<number> {
    return (await cluster.nodes[node]!.status()).node ?? 0;
  }
});

function proxied() {
  return { kind: 'error', status: 503, body: '<html>upstream is away</html>' } as const;
}
