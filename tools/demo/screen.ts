// What the demo prints. Words and columns only.
import { relative } from 'node:path';
import type { TestCluster } from '../../test/support/cluster.js';
import type { Arrival } from './play.js';
import type { PointsStep } from './points.js';
import { PASSWORD, USER } from './scenario.js';

/** Wide enough for the longest statement of the scenario. */
const STATEMENT_WIDTH = 72;

/** Longer than a reason that a person wants to read in a line. */
const REASON_WIDTH = 160;

export class Screen {
  constructor(private readonly write: (text: string) => void) {}

  line(text = ''): void {
    this.write(`${text}\n`);
  }

  title(store: string): void {
    const kept = store === 'etcd' ? 'in a real etcd' : 'in a directory of the manager';
    this.line(`ClusterFlux: three ordinary InfluxDB servers as one cluster; its state is ${kept}`);
    this.line();
  }

  up(cluster: TestCluster, tookMs: number): void {
    for (const manager of cluster.managers) this.line(`  manager   ${manager.url}`);
    cluster.nodes.forEach((node, index) => {
      const { influxd, gatewayUrl, statusUrl } = node;
      const url = `influxd ${influxd.url}    gateway ${gatewayUrl}    agent ${statusUrl}`;
      this.line(`  node ${index + 1}    ${url}`);
    });
    this.line(`  all up after ${(tookMs / 1000).toFixed(1)} s`);
    this.line();
    this.line('What is done on one node, and when the others have it:');
  }

  change(node: number, statement: string, arrivals: readonly Arrival[]): void {
    const there = arrivals.map((arrival) => `node ${arrival.node}: ${outcomeText(arrival)}`);
    this.line(`  node ${node}  ${statement.padEnd(STATEMENT_WIDTH)}  ${there.join('   ')}`);
    for (const { outcome, reason } of arrivals) if (outcome === 'missing') this.reason(reason);
  }

  beforeOffline(): void {
    this.line();
    this.line(
      "No statement sets a password's hash, so the agents show the user as pending. An operator brings",
    );
    this.line('it there while influxd is stopped; nothing else changes on that node:');
  }

  offline({ node, outcome, reason, 'after-ms': afterMs }: Arrival): void {
    const done = 'stop influxd, clusterflux agent sync --offline, start influxd';
    const text =
      outcome === 'arrived' ? `the user is there, same hash (${afterMs ?? 0} ms)` : outcome;
    this.line(`  node ${node}  ${done.padEnd(STATEMENT_WIDTH)}  ${text}`);
    if (outcome !== 'arrived') this.reason(reason);
  }

  beforePoints(): void {
    this.line();
    this.line(
      'Points go through the gateways: to any node, for all of them. What is there, and after how long:',
    );
  }

  points({ text, read, 'on-influxd': counts, 'after-ms': afterMs }: PointsStep): void {
    const there = `read: ${read}   on each influxd: ${counts.join(', ')}   (${afterMs} ms)`;
    this.line(`  ${text.padEnd(STATEMENT_WIDTH)}  ${there}`);
  }

  hints(cluster: TestCluster, dir: string): void {
    const [manager] = cluster.managers;
    const [one, two, three] = cluster.nodes;
    const clusterflux = relative(process.cwd(), 'bin/clusterflux') || 'clusterflux';
    const ask = `${clusterflux} --manager ${manager?.url ?? ''}`;
    this.line();
    this.line('Try it:');
    this.line(`  curl ${one?.gatewayUrl ?? ''}/query --data-urlencode 'q=CREATE DATABASE "mine"'`);
    this.line(`  curl '${two?.gatewayUrl ?? ''}/write?db=mine' --data-binary 'cpu value=1'`);
    this.line(
      `  curl '${three?.gatewayUrl ?? ''}/query?db=mine' --data-urlencode 'q=SELECT * FROM cpu'`,
    );
    this.line(`  influx -port ${new URL(one?.gatewayUrl ?? 'http://x:0').port}`);
    this.line(`  curl ${two?.statusUrl ?? ''}/status`);
    this.line(`  ${ask} status`);
    this.line(`  ${ask} versions list --cluster ${cluster.name}`);
    this.line(`  ${ask} meta show --cluster ${cluster.name}`);
    this.line(`The user is ${USER}, its password ${PASSWORD}; these servers ask nobody for one.`);
    this.line(`Logs, configuration files and demo.json: ${dir}`);
  }

  private reason(reason = ''): void {
    this.line(`          ${reason.slice(0, REASON_WIDTH)}`);
  }
}

function outcomeText({ outcome, 'after-ms': afterMs }: Arrival): string {
  return outcome === 'arrived' ? `${afterMs ?? 0} ms`.padStart(6) : outcome;
}
