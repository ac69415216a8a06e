// Reads from outside what is there: all points of a database from each influxd itself, and whether the cluster is at rest.
import type { TestCluster } from '../../cluster.js';
import type { TestInfluxd } from '../../influxd.js';
import { keyOfSeries, type FieldValue } from './batches.js';
import { readPoints } from './gateway-client.js';
import { fieldsText, type StoredPoints } from './point-judge.js';
import { countsOf } from './point-reader.js';

/** Of all policies that are named, what the load wrote. */
export async function storedPoints(
  influxd: TestInfluxd,
  database: string,
  policies: readonly string[],
): Promise<StoredPoints> {
  const points = new Map<string, Map<number, string>>();
  for (const policy of policies) {
    const q = `SELECT * FROM "${database}"."${policy}"./^m\\d$/ GROUP BY *`;
    const [result] = await influxd.query(q, { params: { epoch: 's' } });
    for (const { name = '', tags = {}, columns, values = [] } of result?.series ?? []) {
      const key = keyOfSeries(policy, name, tags['w'] ?? '', tags['b'] ?? '');
      points.set(key, new Map(values.map((row) => [Number(row[0]), textOf(columns, row)])));
    }
  }
  return points;
}

/**
 * Why the nodes are not at rest yet: hints that are still to be delivered, flags of nodes that are behind, and gateways that do not
 * answer reads from their own influxd. Undefined where they are.
 */
export async function unrest(
  { nodes, managers, name: cluster }: TestCluster,
  database: string,
  policies: readonly string[],
): Promise<string | undefined> {
  const listed = await managers[0]!.get<readonly ListedNode[]>(`/nodes/${cluster}`);
  const behind = listed.find((node) => (node.behind ?? []).length > 0);
  if (behind !== undefined) return `node ${behind.id} is flagged: ${JSON.stringify(behind)}`;
  for (const node of nodes) {
    const { hints } = await node.status();
    if (hints.length > 0) return `${node.name} holds hints: ${JSON.stringify(hints)}`;
  }
  for (const node of nodes) {
    const { name, gatewayUrl } = node;
    const { node: id } = await node.status();
    for (const policy of policies) {
      const answer = await readPoints(gatewayUrl, database, countsOf(0, policy));
      if (answer.kind === 'failed') return `the gateway of ${name} answers no reads: ${answer.why}`;
      if (answer.servedBy !== id) return `${name} has reads answered by node ${answer.servedBy}`;
    }
  }
  return undefined;
}

interface ListedNode {
  readonly id: number;
  /** Ids of the nodes that hold hints for it and could not tell it so. */
  readonly behind?: readonly number[];
}

/** Without the time, and without fields that a point does not have. */
function textOf(columns: readonly string[], row: readonly unknown[]): string {
  const fields = columns
    .map((name, index) => [name, row[index]] as const)
    .filter(([name, value]) => name !== 'time' && value !== null);
  return fieldsText(Object.fromEntries(fields) as Record<string, FieldValue>);
}
