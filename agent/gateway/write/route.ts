// Which shard of which group each line of a write belongs to, and which lines are older than their policy keeps. Compares
// times as doubles, and exactly only near a boundary, because most lines of a body lie in one group. Pure.
import { groupStart } from '../../../shared/influx/group-time.js';
import type { ScannedLines } from '../../../shared/influx/scan/scanned-lines.js';
import { TIME_SLACK_NS } from '../../../shared/influx/scan/scanned-lines.js';
import type { PlacedGroup, PlacedShard } from '../../../shared/placement/model.js';
import { writeEndNs } from '../placement/placement-index.js';
import { ScannedPart } from './scanned-part.js';

export interface RouteOptions {
  /** The group that takes points of that time now. */
  readonly writable: (timeNs: bigint) => PlacedGroup | undefined;
  readonly shardDurationNs: bigint;
  /** Older points are beyond the policy; undefined: none is. */
  readonly keepFromNs: bigint | undefined;
}

export interface RoutedPart {
  readonly group: PlacedGroup;
  readonly shard: PlacedShard;
  readonly lines: ScannedPart;
}

export interface Route {
  readonly parts: readonly RoutedPart[];
  /** One time of each group that there has to be first. Where there is any, `parts` is empty. */
  readonly missing: readonly bigint[];
  /** Lines beyond the retention policy: they are in no part. */
  readonly beyond: number;
}

/** @param of the lines that are to be routed. */
export function route(of: ScannedPart, options: RouteOptions): Route {
  return new Router(of, options).run();
}

/** A group that lines of this write lie in, with its bounds as doubles that are safely inside. */
interface Target {
  readonly group: PlacedGroup;
  readonly endNs: bigint;
  readonly from: number;
  readonly to: number;
  /** Number of its first shard among the buckets. */
  readonly bucket: number;
}

const NOT_ROUTED = -1;

/** So many are looked through one by one; with more, a search in the placement is quicker. */
const FEW_GROUPS = 16;

class Router {
  private readonly lines: ScannedLines;
  private readonly targets: Target[] = [];
  /** The same by the id of the group. */
  private readonly byGroup = new Map<number, Target>();
  private readonly missing = new Map<bigint, bigint>();
  private readonly shards: { readonly group: PlacedGroup; readonly shard: PlacedShard }[] = [];
  /** By position in `of`: the bucket of the line. */
  private readonly buckets: Int32Array;
  private last: Target | undefined;

  constructor(
    private readonly of: ScannedPart,
    private readonly options: RouteOptions,
  ) {
    this.lines = of.lines;
    this.buckets = new Int32Array(of.count).fill(NOT_ROUTED);
  }

  run(): Route {
    const old: number[] = [];
    for (let at = 0; at < this.of.count; at += 1) {
      const line = this.of.lineAt(at);
      if (this.isBeyond(line)) old.push(at);
      else this.put(at, line, this.targetOf(line));
    }
    if (this.missing.size > 0) return { parts: [], missing: [...this.missing.values()], beyond: 0 };
    let beyond = 0;
    for (const at of old) {
      // influxd takes an old point where its group is there because of a newer one in the same batch.
      const line = this.of.lineAt(at);
      const target = this.known(line);
      if (target === undefined) beyond += 1;
      else this.put(at, line, target);
    }
    return { parts: this.parts(), missing: [], beyond };
  }

  private isBeyond(line: number): boolean {
    const { keepFromNs } = this.options;
    if (keepFromNs === undefined) return false;
    const away = (this.lines.times[line] as number) - Number(keepFromNs);
    if (Math.abs(away) > BOUNDARY_NS) return away < 0;
    return this.lines.timeNs(line) < keepFromNs;
  }

  private targetOf(line: number): Target | undefined {
    const known = this.known(line);
    if (known !== undefined) return known;
    const timeNs = this.lines.timeNs(line);
    const group = this.options.writable(timeNs);
    if (group !== undefined) return this.add(group);
    this.missing.set(groupStart(timeNs, this.options.shardDurationNs), timeNs);
    return undefined;
  }

  /** The target that takes a line, among those of this write. */
  private known(line: number): Target | undefined {
    const time = this.lines.times[line] as number;
    const { last } = this;
    if (last !== undefined && time >= last.from && time < last.to) return last;
    if (this.targets.length > FEW_GROUPS) {
      const group = this.options.writable(this.lines.timeNs(line));
      const target = group && this.byGroup.get(group.id);
      this.last = target ?? this.last;
      return target;
    }
    for (const target of this.targets) {
      const isIn =
        (time >= target.from && time < target.to) || this.isExactlyIn(line, time, target);
      if (!isIn) continue;
      this.last = target;
      return target;
    }
    return undefined;
  }

  private isExactlyIn(line: number, time: number, { group, endNs, from, to }: Target): boolean {
    if (time < from - 2 * BOUNDARY_NS || time > to + 2 * BOUNDARY_NS) return false;
    const timeNs = this.lines.timeNs(line);
    return timeNs >= group.startNs && timeNs < endNs;
  }

  private add(group: PlacedGroup): Target {
    const endNs = writeEndNs(group);
    const target: Target = {
      group,
      endNs,
      from: Number(group.startNs) + BOUNDARY_NS,
      to: Number(endNs) - BOUNDARY_NS,
      bucket: this.shards.length,
    };
    for (const shard of group.shards) this.shards.push({ group, shard });
    this.targets.push(target);
    this.byGroup.set(group.id, target);
    this.last = target;
    return target;
  }

  private put(at: number, line: number, target: Target | undefined): void {
    if (target === undefined) return;
    this.buckets[at] = target.bucket + this.lines.shardOf(line, target.group.shards.length);
  }

  private parts(): RoutedPart[] {
    const counts = new Uint32Array(this.shards.length);
    for (const bucket of this.buckets) {
      if (bucket !== NOT_ROUTED) counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    const indices = this.shards.map((_, bucket) => new Uint32Array(counts[bucket] ?? 0));
    const filled = new Uint32Array(this.shards.length);
    this.buckets.forEach((bucket, at) => {
      const list = indices[bucket];
      if (list === undefined) return;
      const next = filled[bucket] ?? 0;
      list[next] = this.of.lineAt(at);
      filled[bucket] = next + 1;
    });
    return this.shards.flatMap(({ group, shard }, bucket) => {
      const list = indices[bucket];
      if (list === undefined || list.length === 0) return [];
      const lines = list.length === this.of.count ? this.of : new ScannedPart(this.lines, list);
      return [{ group, shard, lines }];
    });
  }
}

/** Twice the error of a time as a double, and room for the error of the boundary itself. */
const BOUNDARY_NS = 2 * TIME_SLACK_NS;
