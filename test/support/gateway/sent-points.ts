// Points that a test writes through gateways: each has a number of its own, those that were acknowledged are remembered, and in
// the end every influxd is read directly, past all our code.
import { expect } from 'chai';
import type { ClusterNode } from '../cluster-node.js';
import { eventually } from '../eventually.js';

export type Level = 'any' | 'one' | 'quorum' | 'all';

export interface SendOptions {
  /** `one` where absent. */
  readonly level?: Level;
  /** Points in the batch; 3 where absent. */
  readonly count?: number;
}

/** What the gateway answered; status 0: nothing, so that the points may be there or not. */
export interface SendAnswer {
  readonly status: number;
  readonly text: string;
  readonly code: string | null;
  readonly retry: string | null;
  readonly applied: number;
  readonly hinted: number;
  readonly tookMs: number;
}

export interface ReadAnswer {
  readonly status: number;
  readonly text: string;
  readonly code: string | null;
  readonly servedBy: number;
  /** Sorted. */
  readonly numbers: readonly number[];
}

interface Answer {
  readonly results?: readonly {
    readonly series?: readonly { readonly values?: readonly (readonly [number, number])[] }[];
  }[];
}

const ANSWER_WITHIN_MS = 20_000;
const DRAINED_WITHIN_MS = 20_000;
const MEASUREMENT = 'sent';
/** Of the points that are wrong. */
const SHOWN = 5;
const MS_NS = 1_000_000;

export class SentPoints {
  private readonly acknowledged = new Set<number>();
  private readonly possible = new Set<number>();
  private next = 0;

  /** Point number n has the time `startMs` + n ms. */
  constructor(
    readonly database: string,
    readonly startMs = Date.now(),
  ) {}

  /** The next points, which are not in the cluster yet; for whoever sends them in another way. */
  take(count: number): { readonly numbers: readonly number[]; readonly lines: string } {
    const numbers = Array.from({ length: count }, () => (this.next += 1));
    return { numbers, lines: this.linesOf(numbers) };
  }

  /** `sent,s=2 v=17i 1700000000017000000`, one line each. */
  linesOf(numbers: readonly number[]): string {
    const line = (n: number) => `${MEASUREMENT},s=${n % 5} v=${n}i ${(this.startMs + n) * MS_NS}`;
    return numbers.map(line).join('\n');
  }

  /** One batch of new points through the gateway of a node. Never rejects. */
  async send(node: ClusterNode, options: SendOptions = {}): Promise<SendAnswer> {
    const { numbers, lines } = this.take(options.count ?? 3);
    for (const number of numbers) this.possible.add(number);
    const answer = await this.post(node, lines, options.level ?? 'one');
    if (answer.status === 204) for (const number of numbers) this.acknowledged.add(number);
    return answer;
  }

  /** As `send`; fails where the points are not acknowledged. */
  async acknowledge(node: ClusterNode, options: SendOptions = {}): Promise<SendAnswer> {
    const answer = await this.send(node, options);
    expect(answer.status, `writing through ${node.name}: ${answer.text}`).to.equal(204);
    return answer;
  }

  /** Somebody deleted all that was sent so far, by a statement that was acknowledged. */
  forget(): void {
    this.acknowledged.clear();
    this.possible.clear();
  }

  /** What a gateway answers to a read of all points; `numbers` is empty for another status than 200. */
  async read(node: ClusterNode): Promise<ReadAnswer> {
    const answer = await this.query(node.gatewayUrl);
    const { headers, status } = answer;
    const text = await answer.text();
    return {
      status,
      text,
      code: headers.get('x-clusterflux-code'),
      servedBy: Number(headers.get('x-clusterflux-served-by')),
      numbers: status === 200 ? this.numbersIn(text) : [],
    };
  }

  /** What one influxd itself has, sorted. */
  async numbersOn(node: ClusterNode): Promise<readonly number[]> {
    return this.numbersIn(await (await this.query(node.influxd.url)).text());
  }

  /** What is acknowledged now, to judge a read by that begins now. */
  snapshot(): Pick<SentPoints, 'expectWhole'> {
    const acknowledged = new Set(this.acknowledged);
    return {
      expectWhole: (numbers, where) => {
        this.judge(acknowledged, numbers, where);
      },
    };
  }

  /** Fails where a read lacks an acknowledged point, or has one that nobody sent. */
  expectWhole(numbers: readonly number[], where: string): void {
    this.judge(this.acknowledged, numbers, where);
  }

  private judge(
    acknowledged: ReadonlySet<number>,
    numbers: readonly number[],
    where: string,
  ): void {
    const there = new Set(numbers);
    const lost = [...acknowledged].filter((number) => !there.has(number));
    const strange = numbers.filter((number) => !this.possible.has(number));
    const text = `${where}: ${lost.length} acknowledged points are lost, ${strange.length} are strange`;
    const shown = [lost.slice(0, SHOWN), strange.slice(0, SHOWN)];
    expect(shown, text).to.deep.equal([[], []]);
  }

  /** Waits until a gateway answers a read, and judges the answer. */
  async untilRead(node: ClusterNode, withinMs = 10_000): Promise<ReadAnswer> {
    const known = this.snapshot();
    const answer = await eventually(
      async () => {
        const each = await this.read(node);
        if (each.status !== 200) throw new Error(each.text);
        return each;
      },
      { withinMs, everyMs: 50, what: `a read through ${node.name}` },
    );
    known.expectWhole(answer.numbers, `read through ${node.name}, of node ${answer.servedBy}`);
    return answer;
  }

  /** Waits until no node holds hints, and judges that all have the same: whatever was acknowledged, and nothing strange. */
  async untilEverywhere(nodes: readonly ClusterNode[]): Promise<void> {
    await untilDrained(nodes);
    const [first, ...others] = await Promise.all(nodes.map((node) => this.numbersOn(node)));
    this.expectWhole(first ?? [], `the influxd of ${nodes[0]!.name}`);
    others.forEach((numbers, index) => {
      expect(numbers, `the influxd of ${nodes[index + 1]!.name}`).to.deep.equal(first);
    });
  }

  private async post(node: ClusterNode, body: string, level: Level): Promise<SendAnswer> {
    const params = new URLSearchParams({ db: this.database, consistency: level });
    const began = performance.now();
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
      const url = `${node.gatewayUrl}/write?${params.toString()}`;
      const answer = await fetch(url, { method: 'POST', body, signal });
      const { status, headers } = answer;
      return {
        status,
        text: await answer.text(),
        code: headers.get('x-clusterflux-code'),
        retry: headers.get('x-clusterflux-retry'),
        applied: Number(headers.get('x-clusterflux-applied')),
        hinted: Number(headers.get('x-clusterflux-hinted')),
        tookMs: performance.now() - began,
      };
    } catch (error) {
      const tookMs = performance.now() - began;
      return {
        status: 0,
        text: String(error),
        code: null,
        retry: null,
        applied: 0,
        hinted: 0,
        tookMs,
      };
    }
  }

  private query(url: string): Promise<Response> {
    const q = `SELECT v FROM ${MEASUREMENT}`;
    const params = new URLSearchParams({ db: this.database, epoch: 'ms', q });
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    return fetch(`${url}/query?${params.toString()}`, { signal });
  }

  /** Each with the time that it was given; one at two times would be found as two. */
  private numbersIn(text: string): readonly number[] {
    const rows = (JSON.parse(text) as Answer).results?.[0]?.series?.[0]?.values ?? [];
    const wrong = rows.filter(([time, number]) => time !== this.startMs + number);
    expect(wrong, 'points at times that they were not given').to.deep.equal([]);
    return rows.map(([, number]) => number).sort((a, b) => a - b);
  }
}

/** Waits until none of the agents holds hints for anybody. */
export async function untilDrained(nodes: readonly ClusterNode[]): Promise<void> {
  await Promise.all(
    nodes.map((node) =>
      eventually(async () => expect((await node.status()).hints, node.name).to.deep.equal([]), {
        withinMs: DRAINED_WITHIN_MS,
        everyMs: 50,
        what: `${node.name} to hold no hints`,
      }),
    ),
  );
}

/** Waits until each node takes writes directly, and every gateway reads: all have heard from all. */
export async function untilDirect(
  points: SentPoints,
  nodes: readonly ClusterNode[],
): Promise<void> {
  for (const node of nodes) {
    await eventually(
      async () => {
        const { status, text, hinted } = await points.send(node, { level: 'all', count: 1 });
        expect({ status, text, hinted }).to.deep.equal({ status: 204, text: '', hinted: 0 });
      },
      { withinMs: DRAINED_WITHIN_MS, everyMs: 100, what: `direct writes through ${node.name}` },
    );
    await points.untilRead(node);
  }
}

/** A statement through a gateway; throws what it refuses. */
export async function runOn(node: ClusterNode, q: string, db?: string): Promise<void> {
  const body = new URLSearchParams({ q, ...(db === undefined ? {} : { db }) });
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const answer = await fetch(`${node.gatewayUrl}/query`, { method: 'POST', body, signal });
  const text = await answer.text();
  if (answer.status !== 200 || text.includes('"error"')) {
    throw new Error(`${q} through ${node.name}: ${answer.status} ${text}`);
  }
}
