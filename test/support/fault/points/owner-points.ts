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
  cluster: TestCluster,
  database: string,
  policies: readonly string[],
): Promise<string | undefined> {
  const { nodes } = cluster;
  const [flag] = await flagsIn(cluster);
  if (flag !== undefined) {
    return `node ${flag.holder} holds hints for node ${flag.owner} and could not tell it`;
  }
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

/** The registry's flags of nodes that others hold hints for and could not tell it so; all are ids. */
export async function flagsIn({
  managers,
  name,
}: TestCluster): Promise<readonly { readonly owner: number; readonly holder: number }[]> {
  const listed = await managers[0]!.get<readonly ListedNode[]>(`/nodes/${name}`);
  return listed.flatMap(({ id: owner, behind = [] }) =>
    behind.map((holder) => ({ owner, holder })),
  );
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
