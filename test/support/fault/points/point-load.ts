// Clients that write points and read them back all the while, through all gateways of a cluster.
import { eventually } from '../../eventually.js';
import type { ClusterNode } from '../../cluster-node.js';
import type { Random } from '../random.js';
import { BatchMaker } from './batches.js';
import { Ledger } from './ledger.js';
import { PointReader } from './point-reader.js';
import { PointWriter } from './point-writer.js';
import { ReadRecord } from './read-record.js';

export interface PointLoadOptions {
  readonly database: string;
  /** The first is the database's default. */
  readonly policies: readonly string[];
  /** All points are of the six hours after it (Unix time in s, a whole hour). */
  readonly startS: number;
  readonly writers?: number;
}

const WRITERS = 4;

export class PointLoad {
  readonly ledger = new Ledger();
  readonly maker: BatchMaker;
  /** Answers that no client should ever get. */
  readonly surprises: string[] = [];
  /** In the order of the nodes. */
  readonly records: readonly ReadRecord[];
  private readonly stopping = new AbortController();
  private working: Promise<unknown> | undefined;

  constructor(
    private readonly nodes: readonly ClusterNode[],
    private readonly random: Random,
    readonly options: PointLoadOptions,
  ) {
    this.maker = new BatchMaker(options.policies, options.startS);
    this.records = nodes.map(({ name }) => new ReadRecord(name));
  }

  start(): void {
    const { nodes, random, ledger, maker, surprises } = this;
    const { database, policies, writers = WRITERS } = this.options;
    const { signal } = this.stopping;
    const works: Promise<void>[] = [];
    for (let writer = 0; writer < writers; writer += 1) {
      const deps = {
        ...{ database, defaultPolicy: policies[0]!, ledger, maker, surprises },
        gateways: () => nodes.map(({ gatewayUrl }) => gatewayUrl),
        owners: nodes.length,
      };
      works.push(new PointWriter(writer, random.fork(`writer ${writer}`), deps).run(signal));
    }
    nodes.forEach(({ gatewayUrl, name }, index) => {
      const deps = { database, policies, writers, ledger, record: this.records[index]! };
      works.push(new PointReader(gatewayUrl, random.fork(`reader ${name}`), deps).run(signal));
    });
    this.working = Promise.all(works);
  }

  /** Resolves when no request is under way any more. */
  async stop(): Promise<void> {
    if (this.stopping.signal.aborted) return;
    this.stopping.abort();
    await this.working;
    for (const record of this.records) record.end();
  }

  /** Waits until so many more batches were acknowledged. */
  async untilMore(batches: number, withinMs = 30_000): Promise<void> {
    const enough = this.ledger.acknowledgedBatches + batches;
    await eventually(() => this.ledger.acknowledgedBatches >= enough, {
      withinMs,
      what: `${batches} more batches to be acknowledged`,
    });
  }

  /** Waits until each gateway has given a whole answer from its own influxd again. */
  async untilHome(withinMs: number): Promise<void> {
    const ids = await Promise.all(this.nodes.map(async (node) => (await node.status()).node ?? 0));
    const counts = () => this.records.map(({ servedBy }, index) => servedBy.get(ids[index]!) ?? 0);
    const before = counts();
    await eventually(() => counts().every((count, index) => count > before[index]!), {
      withinMs,
      what: `each node to answer reads itself: ${this.records.map((each) => each.lastFailure ?? '').join('; ')}`,
    });
  }

  /** Waits until the gateway of a node (counted from 0) has given so many more whole answers. */
  async untilServed(node: number, answers: number, withinMs = 30_000): Promise<void> {
    const record = this.records[node]!;
    const enough = record.figures.served + answers;
    await eventually(() => record.figures.served >= enough, {
      withinMs,
      what: `${answers} more whole answers of ${record.gateway}, which last said: ${record.lastFailure ?? 'nothing'}`,
    });
  }
}
