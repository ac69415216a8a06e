// Whether a test cluster is in step: judged by what each influxd has in memory and what the manager keeps, not by what an
// agent believes; the agents are asked only whether they know it.
import { isDeepStrictEqual } from 'node:util';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import {
  encodeValue,
  nameOf,
  type ObjectKey,
  type ObjectKind,
  type Schema,
} from '../../shared/meta/model.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import type { TestCluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';

export interface ConvergedOptions {
  readonly withinMs?: number;
  /** All where absent. */
  readonly nodes?: readonly ClusterNode[];
  /** Kinds that are not compared: users, for one, whose hashes no statement can set. */
  readonly except?: readonly ObjectKind[];
  /** True: users are compared without their password hashes. */
  readonly withoutHashes?: boolean;
}

/** Throws what differs. */
export async function convergence(cluster: TestCluster, options: ConvergedOptions): Promise<void> {
  const nodes = options.nodes ?? cluster.nodes;
  const manager = cluster.managers.find(({ pid }) => pid !== undefined);
  if (manager === undefined) throw new Error('no manager runs');
  const newest = await readNewest(manager.url, cluster.name);
  const wanted = comparable(newest.schema, options);
  await Promise.all(
    nodes.map(async (node) => {
      const differences = differencesOf(wanted, comparable(await node.schema(), options));
      if (differences.length > 0) {
        throw new Error(`${node.name} differs from the cluster: ${differences.join('; ')}`);
      }
      const status = await node.status();
      if (!status['in-step'] || status.version !== newest.version) {
        throw new Error(
          `${node.agent.name} is not in step with version ${newest.version}: ${JSON.stringify(status)}`,
        );
      }
    }),
  );
}

/** The manager's newest snapshot of a cluster; version 0 and nothing in it where there is none. */
export async function readNewest(
  managerUrl: string,
  cluster: string,
): Promise<{ readonly version: number; readonly schema: Schema }> {
  const path = `/clusters/${encodeURIComponent(cluster)}/versions/0?wait=0s`;
  const answer = await fetch(`${managerUrl}${path}`, { signal: AbortSignal.timeout(5_000) });
  const body = new Uint8Array(await answer.arrayBuffer());
  if (answer.status === 204) return { version: 0, schema: new Map() };
  if (answer.status !== 200) throw new Error(`reading ${cluster}: ${answer.status}`);
  const version = Number(answer.headers.get('x-clusterflux-version'));
  return { version, schema: readSchema(decodeSnapshot(body)) };
}

type Comparable = ReadonlyMap<ObjectKey, string>;

function comparable(schema: Schema, { except = [], withoutHashes }: ConvergedOptions): Comparable {
  const objects = [...schema].filter(([key]) => !except.includes(nameOf(key).kind));
  return new Map(
    objects.map(([key, { kind, value }]) => [
      key,
      encodeValue(kind === 'user' && withoutHashes === true ? { ...value, hash: '' } : value),
    ]),
  );
}

function differencesOf(wanted: Comparable, found: Comparable): string[] {
  if (isDeepStrictEqual(wanted, found)) return [];
  const keys = new Set([...wanted.keys(), ...found.keys()]);
  return [...keys]
    .filter((key) => wanted.get(key) !== found.get(key))
    .map(
      (key) => `${key}: ${wanted.get(key) ?? 'absent'} there, ${found.get(key) ?? 'absent'} here`,
    );
}
