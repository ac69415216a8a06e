// The versions of a cluster as an outsider reads them: are they unique and consecutive, does each digest cover the one before
// and the content, and did anything go or come that nobody asked for? Pure; it is fed with what was read.
import { decodeSnapshot } from '../../../shared/meta/codec.js';
import { nextDigest } from '../../../shared/meta/digest.js';
import type { ObjectKey, Schema } from '../../../shared/meta/model.js';
import { readSchema } from '../../../shared/meta/snapshot.js';

export interface VersionSeen {
  readonly version: number;
  readonly incarnation: string;
  readonly digest: string;
  readonly bytes: Uint8Array;
}

/** How often each object was made and dropped. */
export class Requests {
  private readonly counts = {
    created: new Map<ObjectKey, number>(),
    dropped: new Map<ObjectKey, number>(),
  };

  get keys(): ReadonlySet<ObjectKey> {
    return new Set([...this.counts.created.keys(), ...this.counts.dropped.keys()]);
  }

  note(what: 'created' | 'dropped', keys: Iterable<ObjectKey>): void {
    for (const key of keys) this.counts[what].set(key, this.count(what, key) + 1);
  }

  count(what: 'created' | 'dropped', key: ObjectKey): number {
    return this.counts[what].get(key) ?? 0;
  }
}

export class VersionLine {
  readonly complaints: string[] = [];
  /** Of the objects that came or went in the line of versions. */
  readonly happened = new Requests();
  private last: (VersionSeen & { readonly schema: Schema }) | undefined;

  get version(): number {
    return this.last?.version ?? 0;
  }
  get schema(): Schema {
    return this.last?.schema ?? new Map();
  }

  /** The next version. A line that begins later than 1 is taken as it is. */
  add(seen: VersionSeen): void {
    const { last } = this;
    const schema = readSchema(decodeSnapshot(seen.bytes));
    if (last !== undefined) {
      this.checkSuccession(last, seen);
      this.count(last.schema, schema);
    }
    this.last = { ...seen, schema };
  }

  private checkSuccession(last: VersionSeen, seen: VersionSeen): void {
    if (seen.version !== last.version + 1) {
      this.complaints.push(`after version ${last.version} comes ${seen.version}`);
    }
    if (seen.incarnation !== last.incarnation) {
      this.complaints.push(
        `version ${seen.version} is of another incarnation than ${last.version}`,
      );
    }
    if (seen.digest !== nextDigest(last.digest, seen.bytes)) {
      this.complaints.push(
        `the digest of version ${seen.version} does not follow from version ${last.version} and its content`,
      );
    }
  }

  private count(before: Schema, after: Schema): void {
    this.happened.note(
      'created',
      [...after.keys()].filter((key) => !before.has(key)),
    );
    this.happened.note(
      'dropped',
      [...before.keys()].filter((key) => !after.has(key)),
    );
  }
}

/** What came or went more often than somebody asked for it. `isJudged`: what several writers change is not. */
export function unasked(
  line: VersionLine,
  asked: Requests,
  isJudged: (key: ObjectKey) => boolean,
): readonly string[] {
  const complaints: string[] = [];
  for (const key of line.happened.keys) {
    if (!isJudged(key)) continue;
    for (const what of ['created', 'dropped'] as const) {
      const [happened, wanted] = [line.happened.count(what, key), asked.count(what, key)];
      if (happened > wanted) {
        complaints.push(`${key} was ${what} ${happened} times, and asked for ${wanted} times`);
      }
    }
  }
  return complaints;
}

/** Two lists of the same line of versions, as two managers (or a manager and etcd) tell it. */
export function sameLine(
  one: { readonly name: string; readonly digests: ReadonlyMap<number, string> },
  other: { readonly name: string; readonly digests: ReadonlyMap<number, string> },
): readonly string[] {
  const complaints: string[] = [];
  for (const [version, digest] of one.digests) {
    const there = other.digests.get(version);
    if (there !== undefined && there !== digest) {
      complaints.push(
        `version ${version} has two contents: ${digest} at ${one.name} and ${there} at ${other.name}`,
      );
    }
  }
  return complaints;
}

/** Numbers without a gap, as the keys of a kept history must be. */
export function gaps(name: string, numbers: readonly number[]): readonly string[] {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.flatMap((number, index) => {
    const before = sorted[index - 1];
    return before === undefined || number === before + 1
      ? []
      : [`${name} has ${number} after ${before}`];
  });
}
