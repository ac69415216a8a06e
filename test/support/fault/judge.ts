// Compares what was acknowledged with what is there. Pure: it is told what was read, and gives back every complaint.
import type { Schema, SchemaObject } from '../../../shared/meta/model.js';
import { encodeValue, keyOf, type ObjectKey } from '../../../shared/meta/model.js';
import { mismatch, type Unit, type WrittenPoint } from './model.js';
import { keysByUnit, unitId, unitOf } from './statements.js';
import { unasked, type Requests, type VersionLine } from './version-line.js';

export interface Evidence {
  readonly units: readonly Unit[];
  readonly asked: Requests;
  readonly surprises: readonly string[];
  readonly line: VersionLine;
  /** What each influxd has in memory, in the order of the writers. */
  readonly nodes: readonly NodeEvidence[];
  readonly points: readonly PointEvidence[];
}

export interface NodeEvidence {
  readonly name: string;
  readonly schema: Schema;
  /** The version with which its agent says that it is in step; undefined where it says that it is not. */
  readonly inStepWith: number | undefined;
}

/** A point that must be there, and what a query at the influxd of its node found (undefined: nothing). */
export interface PointEvidence {
  readonly unit: Unit;
  readonly node: number;
  readonly point: WrittenPoint;
  readonly found: number | undefined;
}

/** Empty where all is as it must be. */
export function judge(evidence: Evidence): readonly string[] {
  return [...judgeState(evidence), ...judgeLine(evidence)];
}

/** What may still be on its way: to be asked again until it is empty, or the time is over. */
export function judgeState(evidence: Evidence): readonly string[] {
  const { line, nodes, units } = evidence;
  const places = [{ name: 'the cluster', schema: line.schema }, ...nodes].map((place) => ({
    ...place,
    keys: keysByUnit(place.schema),
  }));
  return [
    ...nodes.flatMap((node) => [...judgeStep(node, line), ...differences(line.schema, node)]),
    ...units.flatMap((unit) => judgeUnit(unit, places)),
  ];
}

/** What no time mends. */
export function judgeLine({ line, asked, units, surprises, points }: Evidence): readonly string[] {
  const owned = new Set(units.map(({ kind, name }) => unitId(kind, name)));
  return [
    ...line.complaints,
    ...surprises,
    ...unasked(line, asked, (key) => owned.has(unitOf(key) ?? '')),
    ...points.flatMap(judgePoint),
  ];
}

/** A schema, by its place: the cluster first, then the nodes in the order of the writers. */
interface Place {
  readonly name: string;
  readonly schema: Schema;
  readonly keys: ReadonlyMap<string, readonly ObjectKey[]>;
}

/** Users are not compared with all nodes: their hashes can't be put in place while restarts are off. */
function judgeUnit(unit: Unit, places: readonly Place[]): string[] {
  const [cluster, own] = [places[0]!, places[unit.writer + 1]!];
  const wrong = (unit.kind === 'database' ? places : [cluster, own]).flatMap((place) => {
    const there = place.keys.get(unitId(unit.kind, unit.name)) ?? [];
    const why = mismatch(unit, place.schema, there);
    return why === undefined ? [] : [`of node ${unit.writer + 1}, at ${place.name}: ${why}`];
  });
  return [...wrong, ...(unit.kind === 'user' ? judgePassword(unit, cluster, own) : [])];
}

/** The password that was set last is the cluster's. */
function judgePassword(unit: Unit, cluster: Place, own: Place): string[] {
  const key = keyOf({ kind: 'user', path: [unit.name] });
  const [there, here] = [cluster.schema.get(key), own.schema.get(key)];
  if (there?.kind !== 'user' || here?.kind !== 'user') return [];
  return there.value.hash === here.value.hash
    ? []
    : [`the cluster has another password for ${unit.name} than node ${unit.writer + 1}`];
}

function judgePoint({ unit, node, point, found }: PointEvidence): string[] {
  if (found === point.serial) return [];
  return [
    `${unit.name}.${point.policy} on node ${node + 1} has lost its point ${point.serial} (found: ${found ?? 'none'}); nobody dropped it`,
  ];
}

/** Names can be equal by chance, while an object that was dropped and made again is yet to be replaced. */
function judgeStep({ name, inStepWith }: NodeEvidence, { version }: VersionLine): string[] {
  if (inStepWith === version) return [];
  return [`${name} is not in step with version ${version} (says: ${inStepWith ?? 'not in step'})`];
}

function differences(cluster: Schema, node: NodeEvidence): string[] {
  const keys = new Set([...cluster.keys(), ...node.schema.keys()]);
  return [...keys].flatMap((key) => {
    const [there, here] = [textOf(cluster, key), textOf(node.schema, key)];
    if (there === here || key.startsWith('["user"')) return [];
    return [`${key} is ${there} in the cluster and ${here} on ${node.name}`];
  });
}

function textOf(schema: Schema, key: ObjectKey): string {
  const object: SchemaObject | undefined = schema.get(key);
  return object === undefined ? 'absent' : encodeValue(object.value);
}
