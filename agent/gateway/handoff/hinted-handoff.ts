// Hinted handoff: keeps writes on disk for owners that could not take them, and brings them there. It decides nothing about
// a write's answer, and gives no hint up that was not first recorded as missing at its owner.
import { join } from 'node:path';
import type { HandoffConfig } from '../../../shared/config/config.js';
import { messageOf } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import { reached } from '../../../shared/failpoint/failpoint.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { ApplyOutcome, Batch, BatchSender } from '../owner/port.js';
import type { HintFiles } from './hint-files.js';
import { directoryOf, OwnerLog, whyNotKept } from './owner-log.js';
import { OwnerHints } from './owner-hints.js';
import { OwnersFile } from './owners-file.js';
import type { Backlog, Handoff, HintOutcome, HintRef } from './port.js';
import { TokenBucket } from './token-bucket.js';

export interface HandoffDeps {
  /** `agent.state-dir`, held by this process. */
  readonly stateDir: string;
  readonly files: HintFiles;
  readonly config: Omit<HandoffConfig, 'hintAfterMs' | 'catchUpTimeoutMs'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: () => number;
  readonly sender: BatchSender;
  /** The node id of a uid; undefined where no such node is registered. */
  readonly nodeOf: (ownerUid: string) => number | undefined;
  /** Versions of placement and metadata that this agent works by now. */
  readonly versions: () => { readonly placement: number; readonly metadata: number };
  /** Asks the managers for at least these versions. May reject. */
  readonly catchUp: (placement: number, metadata: number, signal: AbortSignal) => Promise<void>;
  /** See `DrainerDeps.afterDeletes`. */
  readonly afterDeletes: (
    batch: Batch,
    upTo: number,
    signal: AbortSignal,
  ) => Promise<Batch | undefined>;
  /** There was nothing for this owner, and now there is. */
  readonly onFirstHint: (ownerUid: string) => void;
  /** All for this owner is delivered (or given up): writes may go to it directly again. */
  readonly onDrained: (ownerUid: string) => void;
  /**
   * The owner lacks points of these groups (undefined: nobody knows of which): resolves once that is recorded. It is called
   * again until it succeeds, and what was lost counts as held until then.
   */
  readonly onLost: (
    ownerUid: string,
    groups: readonly number[] | undefined,
    why: string,
    signal: AbortSignal,
  ) => Promise<void>;
  /** An older value may come to stand over a newer one at the owner: resolves once that is recorded. Tried again where it rejects. */
  readonly onUnsure?: (
    ownerUid: string,
    groups: readonly number[],
    signal: AbortSignal,
  ) => Promise<void>;
  /** Smaller segments, for tests. */
  readonly segmentBytes?: number;
  readonly keptBytes?: number;
}

const DIRECTORY = 'hints';

/** It becomes the name of a directory. Uids are UUIDs; nothing else is taken. */
const UID = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;

/** The free space is asked for no more often; in between what is written is taken off. */
const FREE_SPACE_MS = 1_000;

export class HintedHandoff implements Handoff {
  readonly name = 'handoff';
  readonly phase = 'workers';
  private readonly owners = new Map<string, Promise<OwnerHints>>();
  private readonly opened = new Map<string, OwnerHints>();
  /** Per owner, how many batches wait for its log to be opened. */
  private readonly arriving = new Map<string, number>();
  private readonly hints: string;
  private ownersFile: OwnersFile | undefined;
  private opening: Promise<void> | undefined;
  private free = { bytes: Infinity, atMs: -Infinity };
  private readonly stopping = new AbortController();
  private readonly telling: Promise<void>[] = [];

  constructor(private readonly deps: HandoffDeps) {
    this.hints = join(deps.stateDir, DIRECTORY);
  }

  /**
   * Opens what is there and begins to send it; once, however often it is called. Throws AppError `state-not-current`, or the
   * file system's error. Until it has resolved nobody may be told what is held: it would be nothing.
   */
  start(): Promise<void> {
    return (this.opening ??= this.open());
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.telling);
    const owners = await Promise.allSettled(this.owners.values());
    for (const owner of owners) if (owner.status === 'fulfilled') await owner.value.close();
  }

  holds(ownerUid: string): boolean {
    return this.arriving.has(ownerUid) || (this.opened.get(ownerUid)?.holds ?? false);
  }

  async keep(ownerUid: string, batch: Batch, direct?: Promise<ApplyOutcome>): Promise<HintOutcome> {
    this.arriving.set(ownerUid, (this.arriving.get(ownerUid) ?? 0) + 1);
    try {
      return await this.keepIn(ownerUid, batch, direct);
    } catch (error) {
      this.opened.get(ownerUid)?.tally.noteRefused();
      const why = whyNotKept(error, directoryOf(this.hints, ownerUid));
      this.deps.logger.error('a hint could not be kept', { owner: ownerUid, why });
      return { kind: 'refused', why };
    } finally {
      const rest = (this.arriving.get(ownerUid) ?? 1) - 1;
      if (rest === 0) this.arriving.delete(ownerUid);
      else this.arriving.set(ownerUid, rest);
    }
  }

  drained(ownerUid: string): Promise<boolean> {
    if (!this.holds(ownerUid)) return Promise.resolve(true);
    // Its log is just being opened: the first hint is told by nobody to wait.
    return this.opened.get(ownerUid)?.drained() ?? Promise.resolve(false);
  }

  isNearlyDrained(ownerUid: string): boolean {
    return this.opened.get(ownerUid)?.isNearlyDrained ?? false;
  }

  settle({ ownerUid, sequence }: HintRef): void {
    this.opened.get(ownerUid)?.settle(sequence);
  }

  backlogs(): readonly Backlog[] {
    return [...this.opened.values()].map(({ backlog }) => backlog);
  }

  nudge(ownerUid: string): void {
    this.opened.get(ownerUid)?.nudge();
  }

  /** For metrics and for people. */
  all(): readonly OwnerHints[] {
    return [...this.opened.values()];
  }

  /**
   * Gives up all hints for an owner, which is first recorded as lacking them; those of a node that is gone are removed with
   * their directory. Rejects where it can't be recorded; then nothing was given up.
   */
  async purge(ownerUid: string, signal: AbortSignal): Promise<void> {
    const owner = this.opened.get(ownerUid);
    if (owner === undefined) return;
    const { groups } = owner.log.totals;
    if (owner.node !== undefined) {
      await this.deps.onLost(ownerUid, groups, 'hints for it were purged by a person', signal);
      await owner.drop();
      return;
    }
    await owner.stop();
    await owner.log.drop();
    await this.ownersFile?.remove(ownerUid);
    this.owners.delete(ownerUid);
    this.opened.delete(ownerUid);
    await owner.close();
    await this.deps.files.remove(directoryOf(this.hints, ownerUid));
    this.deps.onDrained(ownerUid);
  }

  private async open(): Promise<void> {
    await reached('handoff.open.begun');
    const { files, stateDir, clock } = this.deps;
    await files.makeDirectory(this.hints, stateDir);
    this.ownersFile = await OwnersFile.open(files, stateDir);
    await this.lookAtDisk();
    const uids = ((await files.list(this.hints)) ?? []).filter((name) => UID.test(name));
    for (const [uid, groups] of this.ownersFile.all) {
      if (!uids.includes(uid)) this.telling.push(this.tellGone(uid, [...groups], clock));
    }
    for (const uid of uids) await this.owner(uid);
  }

  private async keepIn(
    ownerUid: string,
    batch: Batch,
    direct: Promise<ApplyOutcome> | undefined,
  ): Promise<HintOutcome> {
    if (!UID.test(ownerUid)) return { kind: 'refused', why: `${ownerUid} is no uid of a node` };
    const owner = await this.owner(ownerUid);
    // From here to the log in one turn: hints are in the order of the calls.
    const why = this.limitReached(owner, batch.body.length);
    if (why !== undefined) {
      owner.tally.noteRefused();
      return { kind: 'refused', why };
    }
    const { sequence, isFirst } = await owner.append(batch, direct);
    if (isFirst) this.deps.onFirstHint(ownerUid);
    return { kind: 'kept', ref: { ownerUid, sequence }, isFirst };
  }

  private limitReached(owner: OwnerHints, bytes: number): string | undefined {
    const { config, clock } = this.deps;
    if (owner.log.totals.bytes + bytes > config.maxBytes) {
      return `${config.maxBytes} bytes of hints for ${owner.uid} are kept already (handoff.max-size)`;
    }
    if (clock.monotonicMs() - this.free.atMs > FREE_SPACE_MS) void this.lookAtDisk();
    this.free.bytes -= bytes;
    if (this.free.bytes >= config.minFreeBytes) return undefined;
    return `less than ${config.minFreeBytes} bytes are free on the disk of ${this.hints} (handoff.min-free)`;
  }

  /** Never rejects: where the free space is not told, the last that is known counts, and a full disk says so by itself. */
  private async lookAtDisk(): Promise<void> {
    const { clock, files, logger } = this.deps;
    this.free.atMs = clock.monotonicMs();
    try {
      this.free = { bytes: await files.freeBytes(this.hints), atMs: clock.monotonicMs() };
    } catch (error) {
      logger.warn('the free space for hints is not known', { err: error });
    }
  }

  /** Opened once; a failure is forgotten, and the next hint tries again. */
  private owner(uid: string): Promise<OwnerHints> {
    const known = this.owners.get(uid);
    if (known !== undefined) return known;
    const opening = this.openOwner(uid);
    this.owners.set(uid, opening);
    opening.catch(() => this.owners.delete(uid));
    return opening;
  }

  private async openOwner(uid: string): Promise<OwnerHints> {
    const { files, clock, config, sender, nodeOf, versions, catchUp, afterDeletes } = this.deps;
    const { random, segmentBytes, keptBytes } = this.deps;
    const logger = this.deps.logger.child({ owner: uid });
    const directory = directoryOf(this.hints, uid);
    const log = await OwnerLog.open({
      files,
      directory,
      parent: this.hints,
      register: async (groups) => this.ownersFile?.add(uid, groups),
      ...(segmentBytes === undefined ? {} : { segmentBytes }),
      ...(keptBytes === undefined ? {} : { keptBytes }),
    });
    const drain = {
      bucket: new TokenBucket(config.retryRateLimitBytes, clock),
      sender,
      retryIntervalMs: config.retryIntervalMs,
      retryMaxIntervalMs: config.retryMaxIntervalMs,
      maxAgeMs: config.maxAgeMs,
      random,
      node: () => nodeOf(uid),
      versions,
      catchUp,
      afterDeletes,
      onLost: (groups: readonly number[] | undefined, why: string, signal: AbortSignal) =>
        this.deps.onLost(uid, groups ?? this.groupsOf(uid), why, signal),
      onDrained: () => this.noteDrained(uid, log),
    };
    const onUnsure = async (groups: readonly number[], signal: AbortSignal) =>
      this.deps.onUnsure?.(uid, groups, signal);
    const owner = new OwnerHints(log, { uid, directory, files, clock, logger, drain, onUnsure });
    this.opened.set(uid, owner);
    owner.start();
    return owner;
  }

  private groupsOf(uid: string): readonly number[] | undefined {
    const groups = this.ownersFile?.all.get(uid);
    return groups === undefined ? undefined : [...groups];
  }

  private noteDrained(uid: string, log: OwnerLog): void {
    // Nothing was held since the last time: there is nothing to tell.
    if (this.ownersFile?.all.has(uid) !== true) return;
    // In this turn nothing is held: whatever comes next registers its groups again, behind this removal.
    log.forgetGroups();
    this.ownersFile.remove(uid).catch((error: unknown) => {
      this.deps.logger.warn('the list of owners with hints was not written', { err: error });
    });
    this.deps.onDrained(uid);
  }

  /** There were hints for it when this agent ran last, and their directory is gone. */
  private async tellGone(uid: string, groups: readonly number[], clock: Clock): Promise<void> {
    const { signal } = this.stopping;
    const { logger, onLost, config, nodeOf } = this.deps;
    logger.error('the hints for an owner are gone', { owner: uid });
    const isOver = (): boolean => signal.aborted;
    while (!isOver()) {
      try {
        if (nodeOf(uid) !== undefined) {
          await onLost(uid, groups, 'the hints that an agent had for it are gone', signal);
          if (!this.opened.has(uid)) await this.ownersFile?.remove(uid);
          return;
        }
      } catch (error) {
        if (isOver()) return;
        logger.warn('telling that hints are gone failed', { owner: uid, why: messageOf(error) });
      }
      await clock.sleep(config.retryMaxIntervalMs, signal).catch(() => undefined); // the loop ends with the signal
    }
  }
}
