// Reads from outside what is there: the line of versions from a manager, etcd's keys by etcd itself, what each influxd has in
// memory, and the points that must still be there.
import type { TestCluster } from '../cluster.js';
import { rawKeys } from './etcd-keys.js';
import type { ClusterNode } from '../cluster-node.js';
import type { Evidence, NodeEvidence, PointEvidence } from './judge.js';
import { gaps, sameLine, type VersionLine } from './version-line.js';
import type { Workload } from './workload.js';

const ANSWER_WITHIN_MS = 10_000;

interface ListedVersion {
  readonly version: number;
  readonly digest: string;
}

/** Adds what is new in the kept history to the line, and collects the rest. */
export async function collect(
  cluster: TestCluster,
  workload: Workload,
  line: VersionLine,
): Promise<Evidence> {
  const manager = cluster.managers.find(({ pid }) => pid !== undefined);
  if (manager === undefined) throw new Error('no manager runs');
  await readLine(manager.url, cluster.name, line);
  const nodes = await Promise.all(cluster.nodes.map(lookAt));
  const written = workload.units.flatMap((unit) =>
    [...unit.points].map(([node, point]) => ({ unit, node, point })),
  );
  const points = await Promise.all(
    written.map(async (each) => ({ ...each, found: await lastPoint(cluster, each) })),
  );
  const { units, asked, surprises } = workload;
  return { units, asked, surprises, line, nodes, points };
}

/** The agent is asked first: what it says must still hold of what its influxd has afterwards. */
async function lookAt(node: ClusterNode): Promise<NodeEvidence> {
  const { 'in-step': isInStep, version } = await node.status();
  const inStepWith = isInStep ? version : undefined;
  return { name: node.name, inStepWith, schema: await node.schema() };
}

/** What the managers list and what etcd holds must be one line without gaps, with the pointer at its end. */
export async function storeComplaints(cluster: TestCluster): Promise<readonly string[]> {
  const running = cluster.managers.filter(({ pid }) => pid !== undefined);
  const lists = await Promise.all(
    running.map(async ({ name, url }) => ({ name, digests: await listOf(url, cluster.name) })),
  );
  const complaints = lists.flatMap(({ name, digests }) => gaps(name, [...digests.keys()]));
  const kept = cluster.hasEtcd ? await keptInEtcd(cluster) : undefined;
  const all = kept === undefined ? lists : [...lists, kept];
  const [first, ...others] = all;
  for (const other of others) complaints.push(...sameLine(first!, other));
  return [...complaints, ...(kept?.complaints ?? [])];
}

async function readLine(managerUrl: string, cluster: string, line: VersionLine): Promise<void> {
  const numbers = [...(await listOf(managerUrl, cluster)).keys()].sort((a, b) => a - b);
  for (const version of numbers.filter((number) => number > line.version)) {
    const answer = await get(`${managerUrl}${pathOf(cluster)}/history/${version}`);
    line.add({
      version,
      incarnation: answer.headers.get('x-clusterflux-incarnation') ?? '',
      digest: answer.headers.get('x-clusterflux-digest') ?? '',
      bytes: new Uint8Array(await answer.arrayBuffer()),
    });
  }
}

async function listOf(managerUrl: string, cluster: string): Promise<Map<number, string>> {
  const answer = await get(`${managerUrl}${pathOf(cluster)}/history`);
  const list = (await answer.json()) as ListedVersion[];
  return new Map(list.map(({ version, digest }) => [version, digest]));
}

async function keptInEtcd(cluster: TestCluster) {
  const base = `/clusterflux/clusters/${cluster.name}/`;
  const url = cluster.etcd.endpoints.find((_, index) => cluster.etcd.pids[index] !== undefined);
  // History and digests are below the cluster's keys; so is the pointer.
  const keys = await rawKeys(url!, base);
  const records = (folder: string) =>
    keys
      .filter(({ key }) => key.startsWith(`${base}${folder}/`))
      .map(({ key, value }) => ({
        version: Number(key.slice(key.lastIndexOf('/') + 1)),
        record: JSON.parse(value) as { digest: string; version?: number },
      }));
  const digests = records('digests');
  const history = records('history');
  const pointer = keys.find(({ key }) => key === `${base}meta`);
  const newest = (JSON.parse(pointer?.value ?? '{}') as { version?: number }).version;
  const complaints = [
    ...gaps(
      'etcd (digests)',
      digests.map(({ version }) => version),
    ),
    ...gaps(
      'etcd (history)',
      history.map(({ version }) => version),
    ),
  ];
  const last = digests.at(-1)?.version;
  if (newest !== last) {
    complaints.push(`etcd's pointer is at version ${newest ?? 0} and its digests at ${last ?? 0}`);
  }
  for (const { version, record } of history) {
    if (record.version !== version) {
      complaints.push(`etcd has version ${record.version ?? 0} under the key of ${version}`);
    }
  }
  return {
    name: 'etcd',
    digests: new Map(digests.map(({ version, record }) => [version, record.digest])),
    complaints,
  };
}

async function lastPoint(
  { nodes }: TestCluster,
  { unit, node, point }: Omit<PointEvidence, 'found'>,
): Promise<number | undefined> {
  const select = `SELECT last("v") FROM "${unit.name}"."${point.policy}"."m"`;
  const [result] = await nodes[node]!.influxd.query(select, { db: unit.name });
  const value = result?.series?.[0]?.values?.[0]?.[1];
  return typeof value === 'number' ? value : undefined;
}

function pathOf(cluster: string): string {
  return `/clusters/${encodeURIComponent(cluster)}`;
}

async function get(url: string): Promise<Response> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer;
}
