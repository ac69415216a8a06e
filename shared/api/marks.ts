// Marks and tombstones on the wire, and between the wire and the model.
import { z } from 'zod';
import type { Marks } from '../meta/marks.js';
import type { ObjectKind, ObjectName } from '../meta/model.js';
import { keyOf, nameOf, OBJECT_KINDS } from '../meta/model.js';
import { nodeId, time, version } from './fields.js';

const objectName = { object: z.enum(OBJECT_KINDS), path: z.array(z.string()).min(1).max(3) };

export const marksSchema = z
  .object({
    version,
    marks: z.array(
      z.object({
        ...objectName,
        mark: version.describe('the version at which it came into being'),
      }),
    ),
    tombstones: z.array(
      z.object({
        ...objectName,
        mark: version,
        version: version.describe('at which it went'),
        node: nodeId.optional(),
        at: time,
      }),
    ),
    'swept-through': version.describe('the highest version of a tombstone that was swept; 0: none'),
  })
  .meta({ id: 'Marks' });
export type MarksBody = z.infer<typeof marksSchema>;

export function marksToWire(marks: Marks): MarksBody {
  return {
    version: marks.version,
    marks: [...marks.marks].map(([key, mark]) => ({ ...wireName(nameOf(key)), mark })),
    tombstones: marks.tombstones.map(({ key, ...rest }) => ({ ...wireName(nameOf(key)), ...rest })),
    'swept-through': marks.sweptThrough,
  };
}

/** The inverse of `marksToWire`, of a body that `marksSchema` accepted. */
export function marksFromWire(body: MarksBody): Marks {
  return {
    version: body.version,
    marks: new Map(body.marks.map(({ mark, ...name }) => [keyOf(modelName(name)), mark])),
    tombstones: body.tombstones.map(({ object, path, mark, version, node, at }) => ({
      key: keyOf(modelName({ object, path })),
      mark,
      version,
      ...(node === undefined ? {} : { node }),
      at,
    })),
    sweptThrough: body['swept-through'],
  };
}

interface WireName {
  object: ObjectKind;
  path: string[];
}

function wireName({ kind, path }: ObjectName): WireName {
  return { object: kind, path: [...path] };
}

function modelName({ object, path }: WireName): ObjectName {
  return { kind: object, path } as unknown as ObjectName;
}
