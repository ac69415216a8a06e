// The second half of the show: points written through one gateway and read through another, with a node killed in between. It
// counts on every influxd itself, and judges nothing by what a gateway says.
import type { TestCluster } from '../../test/support/cluster.js';
import type { ClusterNode } from '../../test/support/cluster-node.js';
import { eventually } from '../../test/support/eventually.js';
import type { Screen } from './screen.js';

/** What a step ended in. */
export interface PointsStep {
  readonly text: string;
  /** Points that had been acknowledged. */
  readonly acknowledged: number;
  /** As a gateway answers, and as each influxd that runs has them itself. */
  readonly read: number;
  readonly 'on-influxd': readonly number[];
  /** Until it was so. */
  readonly 'after-ms': number;
}

const DATABASE = 'demo';
const BATCH = 1_000;
const WITHIN_MS = 15_000;
const ASK_WITHIN_MS = 5_000;
const FIRST_POINT_MS = Date.UTC(2026, 0, 1);

type Nodes = readonly [ClusterNode, ClusterNode, ClusterNode];

export async function playPoints(cluster: TestCluster, screen: Screen): Promise<PointsStep[]> {
  const [one, two, three] = cluster.nodes as unknown as Nodes;
  const steps: PointsStep[] = [];
  const step = async (text: string, at: ClusterNode, running: readonly ClusterNode[]) => {
    const acknowledged = (steps.length === 0 ? 1 : 2) * BATCH;
    steps.push(await counted(text, acknowledged, at, running));
    screen.points(steps.at(-1) as PointsStep);
  };
  await ask(one, 'POST', `CREATE DATABASE "${DATABASE}"`);
  await write(one, 0);
  await step(`${BATCH} points written through node 1, read through node 2`, two, cluster.nodes);
  await Promise.all([three.influxd.kill9(), three.agent.kill9()]);
  await write(two, BATCH);
  await step('node 3 killed, as many again through node 2, read through node 1', one, [one, two]);
  await three.influxd.start();
  await three.startAgent();
  await step('node 3 started again, read through node 3', three, cluster.nodes);
  return steps;
}

/** True where all that was acknowledged was read, and is on every influxd that runs. */
export function isWhole({ acknowledged, read, 'on-influxd': counts }: PointsStep): boolean {
  return read === acknowledged && counts.every((count) => count === acknowledged);
}

async function counted(
  text: string,
  acknowledged: number,
  at: ClusterNode,
  running: readonly ClusterNode[],
): Promise<PointsStep> {
  const began = performance.now();
  const look = async (): Promise<PointsStep> => {
    const read = countIn(await ask(at, 'GET', COUNT));
    const counts = await Promise.all(running.map(async ({ influxd }) => countAt(influxd.url)));
    const afterMs = Math.round(performance.now() - began);
    return { text, acknowledged, read, 'on-influxd': counts, 'after-ms': afterMs };
  };
  try {
    return await eventually(
      async () => {
        const seen = await look();
        if (!isWhole(seen)) throw new Error('not all of them are there');
        return seen;
      },
      { withinMs: WITHIN_MS, what: 'all points to be there' },
    );
  } catch {
    // What is there then is what is told.
    return look();
  }
}

const COUNT = 'SELECT count(value) FROM readings';

async function write({ gatewayUrl }: ClusterNode, first: number): Promise<void> {
  const lines = Array.from({ length: BATCH }, (_, index) => {
    const number = first + index;
    return `readings,sensor=s${number % 10} value=${number} ${FIRST_POINT_MS + number}`;
  });
  await eventually(
    async () => {
      const answer = await fetch(`${gatewayUrl}/write?db=${DATABASE}&precision=ms`, {
        method: 'POST',
        body: lines.join('\n'),
        signal: AbortSignal.timeout(ASK_WITHIN_MS),
      });
      if (answer.status !== 204) throw new Error(`${answer.status}: ${await answer.text()}`);
    },
    { withinMs: WITHIN_MS, what: 'a write to be acknowledged' },
  );
}

async function ask(
  { gatewayUrl }: ClusterNode,
  method: 'GET' | 'POST',
  statement: string,
): Promise<string> {
  return answerOf(gatewayUrl, statement, method);
}

async function countAt(url: string): Promise<number> {
  return countIn(await answerOf(url, COUNT, 'GET'));
}

async function answerOf(url: string, statement: string, method: string): Promise<string> {
  const query = new URLSearchParams({ db: DATABASE, q: statement });
  const signal = AbortSignal.timeout(ASK_WITHIN_MS);
  return (await fetch(`${url}/query?${query.toString()}`, { method, signal })).text();
}

/** 0 where there is nothing, or no answer that has a number. */
function countIn(answer: string): number {
  return Number(/"values":\[\[[^,]+,(\d+)\]\]/.exec(answer)?.[1] ?? 0);
}
