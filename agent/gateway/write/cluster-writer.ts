// Writes points into the cluster: scans them, finds the group, shard and owners of each line, and fans out. It answers for
// clients' writes and for SELECT INTO alike. It never creates a database, and guesses no group.
import type { Clock } from '../../../shared/lifecycle/clock.js';
import { isAppError, messageOf } from '../../../shared/errors/app-error.js';
import type { Precision } from '../../../shared/influx/precision.js';
import { LineScanner } from '../../../shared/influx/scan/line-scanner.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { GatewayError } from '../errors.js';
import { errorOf } from '../errors.js';
import type { Metadata, MetadataView, PolicyInfo } from '../metadata/port.js';
import type { PlacementView } from '../placement/port.js';
import type { FanOut, Routed } from './fan-out.js';
import { parseLevel, type Level } from './level.js';
import { divergedOwners, lostOwners, type Lacking } from './lacking.js';
import type { Again } from './owner-state.js';
import { route, type Route } from './route.js';
import { ScannedPart } from './scanned-part.js';
import type { BatchResult, Spread } from './verdict.js';
import {
  badRequest,
  databaseNotFound,
  faultOf,
  policyNotFound,
  spreadOf,
  unsafeFault,
} from './verdict.js';

export interface ClusterWriterDeps {
  readonly metadata: MetadataView;
  readonly placement: PlacementView;
  readonly fanOut: Pick<FanOut, 'deliver'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hintAfterMs: number;
}

export interface PointsToWrite {
  readonly database: string;
  /** '' : the database's default. */
  readonly policy: string;
  readonly precision: Precision;
  /** As the client has it; null or '' : the default. */
  readonly level: string | null;
  readonly body: Buffer;
}

export interface WriteResult {
  /** Undefined: acknowledged. */
  readonly fault: GatewayError | undefined;
  readonly level: Level | undefined;
  /** Undefined where nothing was sent. */
  readonly spread: Spread | undefined;
  readonly points: number;
  /** When nobody needs the bytes any more. Never rejects. */
  readonly released: Promise<unknown>;
}

/** A batch whose route changed under way is routed again so often; then what owners did not take becomes hints. */
const MAX_ROUNDS = 3;
const NS_PER_MS = 1_000_000n;
/** In one write. A line a period apart from the next would have the managers make a million otherwise. */
const MAX_NEW_GROUPS = 1_000;

export class ClusterWriter {
  constructor(private readonly deps: ClusterWriterDeps) {}

  /** Rejects only with AppError `aborted`. */
  async write(points: PointsToWrite, signal: AbortSignal): Promise<WriteResult> {
    const nowNs = BigInt(this.deps.clock.nowMs()) * NS_PER_MS;
    const scanner = new LineScanner({ precision: points.precision, defaultTimeNs: nowNs });
    const lines = scanner.scan(points.body);
    const unparsed =
      lines.errors.length === 0 ? undefined : lines.errors.map(({ text }) => text).join('\n');
    if (unparsed !== undefined && lines.points === 0) return nothing(badRequest(unparsed));
    const level = parseLevel(points.level);
    if (level === undefined) return nothing(badRequest('invalid consistency level'));
    return new OneWrite(this.deps, points, level, signal).run(new ScannedPart(lines), {
      unparsed,
      nowNs,
    });
  }
}

/** One write on its way, with what it worked by. */
class OneWrite {
  private readonly done: BatchResult[] = [];
  private beyond = 0;
  /** The highest numbered delete that an owner named. */
  private deletes = 0;

  constructor(
    private readonly deps: ClusterWriterDeps,
    private readonly points: PointsToWrite,
    private readonly level: Level,
    private readonly signal: AbortSignal,
  ) {}

  async run(
    all: ScannedPart,
    { unparsed, nowNs }: { readonly unparsed: string | undefined; readonly nowNs: bigint },
  ): Promise<WriteResult> {
    let fault: GatewayError | undefined;
    let left: ScannedPart | undefined = all;
    for (let round = 1; left !== undefined && fault === undefined; round += 1) {
      const found = await this.resolve();
      if ('fault' in found) fault = found.fault;
      else if (left.count === 0) left = undefined;
      else {
        const routed = await this.route(left, found, nowNs);
        if ('fault' in routed) fault = routed.fault;
        else {
          if (round === 1) this.beyond = routed.beyond;
          left = await this.deliver(routed, found, round === MAX_ROUNDS);
        }
      }
    }
    fault ??= await this.recordLacking();
    fault ??= faultOf(this.done, this.level, {
      beyond: this.beyond,
      unparsed,
      gone: this.goneFault(),
    });
    return {
      fault,
      level: this.level,
      spread: this.done.length === 0 ? undefined : spreadOf(this.done),
      points: all.count,
      released: Promise.all(this.done.map(({ released }) => released)),
    };
  }

  /** The policy, from metadata that is asked for once more where it does not know it. */
  private async resolve(): Promise<Found | { readonly fault: GatewayError }> {
    const { metadata } = this.deps;
    const first = find(metadata.current, this.points);
    if (!('fault' in first) || metadata.refresh === undefined) return first;
    await metadata.refresh(this.signal);
    return find(metadata.current, this.points);
  }

  private async route(
    part: ScannedPart,
    { policy }: Found,
    nowNs: bigint,
  ): Promise<Route | { readonly fault: GatewayError }> {
    const { placement } = this.deps;
    const { database } = this.points;
    const { durationNs, shardDurationNs, name } = policy;
    const options = {
      writable: (timeNs: bigint) => placement.writable(database, name, timeNs),
      shardDurationNs,
      keepFromNs: durationNs > 0n ? nowNs - durationNs : undefined,
    };
    const found = route(part, options);
    if (found.missing.length === 0) return found;
    if (found.missing.length > MAX_NEW_GROUPS) return { fault: tooManyGroups() };
    const wanted = found.missing.map((timeNs) => ({ database, policy: name, timeNs }));
    try {
      await placement.ensure(wanted, this.signal);
    } catch (error) {
      if (!isAppError(error) || error.code === 'aborted') throw error;
      return { fault: errorOf(error) };
    }
    const again = route(part, options);
    return again.missing.length === 0 ? again : { fault: noGroup(database, name) };
  }

  /** Sends all parts; resolves to the lines that have to be routed anew, if any. */
  private async deliver(
    { parts }: Route,
    { metadata, policy }: Found,
    isLast: boolean,
  ): Promise<ScannedPart | undefined> {
    const { placement, fanOut, hintAfterMs } = this.deps;
    const { version, deletes } = placement.current;
    const { database, precision } = this.points;
    const { level, signal } = this;
    const results = await Promise.all(
      parts.map(async ({ group, shard, lines }) => {
        const head = {
          database,
          policy: policy.name,
          precision,
          group: group.id,
          shard: shard.id,
          databaseMark: group.databaseMark,
          policyMark: group.policyMark,
          placementVersion: version,
          metadataVersion: metadata.version,
          deletes: Math.max(deletes, this.deletes),
          isHint: false,
        };
        const routed: Routed = { group, shard, lines, head };
        const result = await fanOut.deliver(routed, { level, hintAfterMs, isLast, signal });
        return { lines, result: { ...result, group: group.id } };
      }),
    );
    const isRenewed = !isLast && (await this.isRenewed(results, policy));
    const anew: typeof results = [];
    for (const each of results) {
      if (each.result.again !== undefined || (isRenewed && hasGone(each.result))) anew.push(each);
      else this.done.push(each.result);
    }
    const [first, ...others] = anew.map(({ lines }) => lines);
    if (first === undefined) return undefined;
    await this.catchUp(anew.flatMap(({ result }) => result.again ?? []));
    return ScannedPart.joined([first, ...others]);
  }

  /** Whether the names that an owner knows to be gone stand for something new, of which it was not known here. */
  private async isRenewed(
    results: readonly { readonly result: BatchResult }[],
    policy: PolicyInfo,
  ): Promise<boolean> {
    if (!results.some(({ result }) => hasGone(result))) return false;
    await this.deps.metadata.refresh?.(this.signal);
    const now = find(this.deps.metadata.current, this.points);
    return !('fault' in now) && now.policy.mark !== policy.mark;
  }

  private goneFault(): GatewayError {
    const now = find(this.deps.metadata.current, this.points);
    return 'fault' in now ? now.fault : databaseNotFound(this.points.database);
  }

  private async catchUp(said: readonly Again[]): Promise<void> {
    const { placement, metadata } = this.deps;
    const most = (key: Exclude<keyof Again, 'kind'>) =>
      Math.max(0, ...said.map((each) => each[key]));
    this.deletes = Math.max(this.deletes, most('deletes'));
    // Where it can't be had, the next round goes by what is known, and the last one makes hints.
    await Promise.all([
      reach(placement, most('placementVersion'), this.signal),
      reach(metadata, most('metadataVersion'), this.signal),
    ]);
  }

  /** Owners that lack points for which no hint could be kept are recorded as incomplete, before the write is answered. */
  private async recordLacking(): Promise<GatewayError | undefined> {
    for (const lacking of lostOwners(this.done, this.deps.placement.current)) {
      const failure = await this.mark(lacking);
      if (failure !== undefined) return unsafeFault(lacking.node, lacking.why, failure);
    }
    for (const lacking of divergedOwners(this.done, this.deps.placement.current)) {
      // The client is told 400 anyway.
      const err = await this.mark(lacking);
      if (err !== undefined) {
        this.deps.logger.warn('an owner that refused points could not be recorded', {
          node: lacking.node,
          why: err,
        });
      }
    }
    return undefined;
  }

  /** Undefined where it is recorded, else why not. */
  private async mark({ node, groups, why }: Lacking): Promise<string | undefined> {
    try {
      await this.deps.placement.markIncomplete(node, groups, why, this.signal);
      return undefined;
    } catch (error) {
      if (isAppError(error, 'aborted')) throw error;
      return messageOf(error);
    }
  }
}

interface Found {
  readonly metadata: Metadata;
  readonly policy: PolicyInfo;
}

function find(
  metadata: Metadata,
  { database, policy }: PointsToWrite,
): Found | { readonly fault: GatewayError } {
  const info = metadata.databases.get(database);
  if (info === undefined) return { fault: databaseNotFound(database) };
  const name = policy === '' ? info.defaultPolicy : policy;
  const found = info.policies.get(name);
  return found === undefined ? { fault: policyNotFound(name) } : { metadata, policy: found };
}

function hasGone({ owners }: BatchResult): boolean {
  return owners.some(({ state }) => state.kind === 'gone');
}

async function reach(
  view: Pick<PlacementView, 'reach'>,
  version: number,
  signal: AbortSignal,
): Promise<void> {
  if (version > 0) await view.reach(version, signal);
}

function noGroup(database: string, policy: string): GatewayError {
  return {
    status: 503,
    code: 'no-group',
    error: `there is no shard group for these points in ${database}.${policy} yet; nothing was written, send it again`,
    isSafeToRetry: true,
    retryAfterSeconds: 1,
  };
}

/** 413 is what clients answer with smaller batches. */
function tooManyGroups(): GatewayError {
  return {
    status: 413,
    code: 'too-many-groups',
    error: `these points need more than ${String(MAX_NEW_GROUPS)} new shard groups at once; nothing was written, send them in smaller batches`,
  };
}

function nothing(fault: GatewayError): WriteResult {
  return { fault, level: undefined, spread: undefined, points: 0, released: Promise.resolve() };
}
