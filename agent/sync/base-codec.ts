// The base and its records as plain JSON data, for the journal. Form only; what they mean is in base.ts.
import type { ObjectKey, SchemaObject } from '../../shared/meta/model.js';
import { objectFromJson, objectToJson } from '../../shared/meta/model.js';
import type { Base, BaseEntry, BaseRecord, Passed } from './base.js';

/**
 * Bumped when an older agent could misread the file; an unknown format is refused in words. Format 1 knew neither the guard
 * nor a pause.
 */
export const BASE_FORMAT = 2;
const OLDEST_FORMAT = 1;

export function encodeBase(base: Base): unknown {
  return { format: BASE_FORMAT, ...(toJson({ ...base, entries: [...base.entries] }) as object) };
}

/** Throws where the format is unknown; the journal adds which file it was. */
export function decodeBase(json: unknown): Base {
  const { format, ...rest } = json as { format: number };
  if (!(format >= OLDEST_FORMAT && format <= BASE_FORMAT)) {
    throw new Error(`the base has format ${format}, this agent knows format ${BASE_FORMAT}`);
  }
  const base = fromJson(rest) as Omit<Base, 'entries' | 'passed'> & {
    entries: [ObjectKey, BaseEntry][];
    passed?: Passed[];
  };
  return {
    tag: base.tag,
    lineage: base.lineage,
    joining: base.joining,
    note: base.note,
    passed: base.passed ?? [],
    pause: base.pause,
    entries: new Map(base.entries),
  };
}

export function encodeRecord(record: BaseRecord): unknown {
  return toJson(record);
}

export function decodeRecord(json: unknown): BaseRecord {
  return fromJson(json) as BaseRecord;
}

/** Schema objects hold 64-bit integers, which JSON has not: they are wrapped as `{"$object": …}` wherever they stand. */
function toJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  if (isSchemaObject(value)) return { $object: objectToJson(value) };
  return Object.fromEntries(
    Object.entries(value as Record<string, unknown>)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [name, toJson(field)]),
  );
}

function fromJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== 'object' || value === null) return value;
  if ('$object' in value) return objectFromJson(value.$object);
  return Object.fromEntries(
    Object.entries(value as Record<string, unknown>).map(([name, field]) => [
      name,
      fromJson(field),
    ]),
  );
}

function isSchemaObject(value: object): value is SchemaObject {
  return 'kind' in value && 'path' in value && 'value' in value;
}
