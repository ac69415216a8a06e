// One version of the placement, ordered so that the group of a point is found by a search. Pure.
import type { PlacedGroup, Placement } from '../../../shared/placement/model.js';
import type { Metadata } from '../metadata/port.js';

interface PolicyGroups {
  readonly databaseMark: number;
  readonly policyMark: number;
  /** All of this name and marks, by start. */
  readonly groups: readonly PlacedGroup[];
  /** Those that take points, by start; they do not overlap. */
  readonly writable: readonly PlacedGroup[];
}

export class PlacementIndex {
  /** By database, then policy; one name has several entries where it was dropped and created again. */
  private readonly policies = new Map<string, Map<string, PolicyGroups[]>>();

  constructor(readonly placement: Placement) {
    const byObject = new Map<string, PlacedGroup[]>();
    for (const group of placement.groups) {
      const { database, policy, databaseMark, policyMark } = group;
      const key = JSON.stringify([database, policy, databaseMark, policyMark]);
      const known = byObject.get(key);
      if (known === undefined) byObject.set(key, [group]);
      else known.push(group);
    }
    for (const groups of byObject.values()) this.add(groups);
  }

  writable(
    metadata: Metadata,
    database: string,
    policy: string,
    timeNs: bigint,
  ): PlacedGroup | undefined {
    const groups = this.of(metadata, database, policy)?.writable ?? [];
    // The last that begins at or before the time.
    let low = 0;
    let high = groups.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((groups[middle]?.startNs ?? 0n) <= timeNs) low = middle + 1;
      else high = middle;
    }
    const group = groups[low - 1];
    return group !== undefined && timeNs < writeEndNs(group) ? group : undefined;
  }

  covering(
    metadata: Metadata,
    database: string,
    policy: string,
    fromNs: bigint,
    toNs: bigint,
  ): readonly PlacedGroup[] {
    const groups = this.of(metadata, database, policy)?.groups ?? [];
    return groups.filter(({ startNs, endNs }) => startNs < toNs && endNs > fromNs);
  }

  ofDatabase(metadata: Metadata, database: string): readonly PlacedGroup[] {
    const policies = metadata.databases.get(database)?.policies.keys() ?? [];
    return [...policies].flatMap((policy) => this.of(metadata, database, policy)?.groups ?? []);
  }

  /** The entry that bears the marks that the names have now: every other is of something that was dropped. */
  private of(metadata: Metadata, database: string, policy: string): PolicyGroups | undefined {
    const info = metadata.databases.get(database);
    const mark = info?.policies.get(policy)?.mark;
    return this.policies
      .get(database)
      ?.get(policy)
      ?.find((each) => each.databaseMark === info?.mark && each.policyMark === mark);
  }

  private add(groups: readonly PlacedGroup[]): void {
    const [first] = groups;
    if (first === undefined) return;
    const { database, policy, databaseMark, policyMark } = first;
    const sorted = [...groups].sort((a, b) => (a.startNs < b.startNs ? -1 : 1));
    const writable = sorted.filter(({ isAdopted }) => isAdopted !== true);
    const ofDatabase = this.policies.get(database) ?? new Map<string, PolicyGroups[]>();
    this.policies.set(database, ofDatabase);
    const entries = ofDatabase.get(policy) ?? [];
    ofDatabase.set(policy, [...entries, { databaseMark, policyMark, groups: sorted, writable }]);
  }
}

/** Where a group ends for writes: at a cut that counts, else at its end. Points beyond a cut may still lie in it. */
export function writeEndNs({ endNs, cut }: PlacedGroup): bigint {
  return cut?.counts === true && cut.atNs < endNs ? cut.atNs : endNs;
}
