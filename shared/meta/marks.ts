// Marks and tombstones: same name is not same object. A mark is the version at which an object came into being.
import type { ObjectKey, Schema } from './model.js';
import { nameOf } from './model.js';

/** What is remembered of an object that went. */
export interface Tombstone {
  readonly key: ObjectKey;
  /** The mark that the object bore. */
  readonly mark: number;
  /** The version at which it went. */
  readonly version: number;
  /** The node whose write dropped it, where it named itself. */
  readonly node?: number;
  /** RFC 3339, the manager's clock; only the 90-day sweep looks at it. */
  readonly at: string;
}

/** Marks and tombstones of one version. */
export interface Marks {
  readonly version: number;
  readonly marks: ReadonlyMap<ObjectKey, number>;
  readonly tombstones: readonly Tombstone[];
  /** The highest version of a tombstone that was swept by age; 0: none was. Who was away since before can't know all drops. */
  readonly sweptThrough: number;
}

export const NO_MARKS: Marks = {
  version: 0,
  marks: new Map(),
  tombstones: [],
  sweptThrough: 0,
};

/** Tombstones are kept so long; an agent that was away for longer joins with everything local-only held. */
export const TOMBSTONE_DAYS = 90;

/**
 * The marks of version `version`, which replaces `before` by `after`: what stays keeps its mark, what is new gets `version`,
 * what went gets a tombstone (privileges have marks and no tombstones: they go with their user or are revoked).
 */
export function nextMarks(
  previous: Marks,
  before: Schema,
  after: Schema,
  write: { readonly version: number; readonly node?: number; readonly at: string },
): Marks {
  const marks = new Map<ObjectKey, number>();
  for (const key of after.keys()) {
    marks.set(key, (before.has(key) ? previous.marks.get(key) : undefined) ?? write.version);
  }
  const oldest = Date.parse(write.at) - TOMBSTONE_DAYS * 86_400_000;
  const isKept = (stone: Tombstone) => Date.parse(stone.at) >= oldest;
  const tombstones = previous.tombstones.filter(isKept);
  const swept = previous.tombstones.filter((stone) => !isKept(stone));
  const sweptThrough = Math.max(previous.sweptThrough, ...swept.map((stone) => stone.version));
  for (const key of before.keys()) {
    if (after.has(key) || nameOf(key).kind === 'privilege') continue;
    tombstones.push({
      key,
      mark: previous.marks.get(key) ?? 0,
      version: write.version,
      ...(write.node === undefined ? {} : { node: write.node }),
      at: write.at,
    });
  }
  return { version: write.version, marks, tombstones, sweptThrough };
}
