// What one writer's objects must be like: a database with all that lies in it, or a user. Each belongs to one writer for ever, so
// that what it must be like is decidable; where a statement was not answered both outcomes are allowed, and it is left alone.
import type { ObjectKey, Schema, SchemaObject } from '../../../shared/meta/model.js';

/** What is asked of an object's value; nothing where it must only be there. */
export interface Wanted {
  readonly durationNs?: bigint;
  readonly defaultPolicy?: string;
  /** A word that the query must have: influxd prints queries in its own way. */
  readonly queryHas?: string;
  /** The policy that influxd writes into the query: without it other nodes can't create it, and rightly wait for a person. */
  readonly queryNames?: string;
  readonly destination?: string;
  readonly admin?: boolean;
  readonly level?: number;
}

/** Objects that must be there, by key; all others of the unit must not. */
export type UnitState = ReadonlyMap<ObjectKey, Wanted>;

export interface Statement {
  readonly text: string;
  readonly after: UnitState;
}

/** A point that was written, and must be there as long as nobody drops the policy. */
export interface WrittenPoint {
  readonly policy: string;
  readonly policyKey: ObjectKey;
  readonly serial: number;
}

export class Unit {
  /** One state, or two where the answer to the last statement never came. */
  allowed: readonly UnitState[] = [new Map()];
  /** By the node on which they were written, counted from 0. */
  readonly points = new Map<number, WrittenPoint>();

  constructor(
    /** Of the database or user. */
    readonly name: string,
    readonly kind: 'database' | 'user',
    /** The node on which all of its statements are run, counted from 0. */
    readonly writer: number,
  ) {}

  /** Undefined where that is not known: then nothing more is done with it. */
  get state(): UnitState | undefined {
    return this.allowed.length === 1 ? this.allowed[0] : undefined;
  }

  done({ after }: Statement): void {
    this.allowed = [after];
  }

  unanswered({ after }: Statement): void {
    this.allowed = [...this.allowed, after];
  }

  /** Points in these policies may be gone from now on. */
  forgetPointsIn(keys: readonly ObjectKey[]): void {
    for (const [node, { policyKey }] of this.points) {
      if (keys.includes(policyKey)) this.points.delete(node);
    }
  }
}

/** The keys that a statement makes, and those that it takes away. */
export function keysOf(
  before: UnitState,
  after: UnitState,
): { readonly created: readonly ObjectKey[]; readonly dropped: readonly ObjectKey[] } {
  return {
    created: [...after.keys()].filter((key) => !before.has(key)),
    dropped: [...before.keys()].filter((key) => !after.has(key)),
  };
}

/**
 * Why a schema does not show any allowed state of the unit; undefined where it does. `there`: what it has of the unit
 * (see `keysByUnit`).
 */
export function mismatch(
  unit: Unit,
  schema: Schema,
  there: readonly ObjectKey[],
): string | undefined {
  const reasons = unit.allowed.map((state) => differenceTo(state, schema, there));
  return reasons.every((reason) => reason !== undefined) ? reasons.at(-1) : undefined;
}

function differenceTo(
  state: UnitState,
  schema: Schema,
  there: readonly ObjectKey[],
): string | undefined {
  for (const [key, wanted] of state) {
    const found = schema.get(key);
    if (found === undefined) return `${key} is missing`;
    const why = whyNot(wanted, found);
    if (why !== undefined) return `${key} ${why}`;
  }
  const extra = there.find((key) => !state.has(key));
  return extra === undefined ? undefined : `${extra} is there, and was dropped or never made`;
}

function whyNot(wanted: Wanted, { value }: SchemaObject): string | undefined {
  const found = value as Record<string, unknown>;
  const { queryHas, destination, ...rest } = wanted;
  const fields = Object.entries(rest).filter(([name]) => name !== 'queryNames');
  for (const [name, field] of fields as [string, unknown][]) {
    if (found[name] !== field) {
      return `has ${name} ${String(found[name])} instead of ${String(field)}`;
    }
  }
  if (queryHas !== undefined && !String(found['query']).includes(queryHas)) {
    return `has the query ${String(found['query'])}, without ${queryHas}`;
  }
  if (destination !== undefined && (found['destinations'] as string[])[0] !== destination) {
    return `has the destinations ${String(found['destinations'])} instead of ${destination}`;
  }
  return undefined;
}
