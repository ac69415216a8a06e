// Tells every peer, at least once a second, what this node holds for it, and the first hint before the write is answered. An
// owner that can't be told is flagged in the registry, once, until all hints for it are delivered; where that can't be done
// either, more than half of all nodes have to stand for it that the owner hears of it, else the write is not answered.
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { AppError, isAbort } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import { repeat } from '../../../shared/lifecycle/repeat.js';
import type { Logger } from '../../../shared/log/logger.js';
import { isRefusedConnection } from '../../peer/is-refused.js';
import type { PeerClient } from '../../peer/peer-client.js';
import type { Handoff } from '../handoff/port.js';
import type { BacklogNews } from '../owner/port.js';
import type { ClusterNode, NodeDirectory } from '../placement/port.js';
import { Flags, type BehindFlags } from './flags.js';
import type { LastWords } from './last-words.js';
import type { Holding, News } from './news-wire.js';
import { BACKLOG_PATH, FRESH_MS, newsAnswerSchema, TELL_EVERY_MS } from './news-wire.js';
import type { Said } from './said.js';
import { Listener } from './said.js';

export interface AnnouncerDeps {
  readonly handoff: Pick<Handoff, 'backlogs'>;
  readonly directory: NodeDirectory;
  readonly client: Pick<PeerClient, 'call'>;
  readonly flags: BehindFlags;
  /** What became of a word: whether the peer's address refuses connections matters to the judge of reads. */
  readonly onRefused: (uid: string, signal: AbortSignal) => Promise<void>;
  readonly onNotRefused: (uid: string) => void;
  /** It answers and takes hints, and did not a moment ago. */
  readonly onReady?: (uid: string) => void;
  /** Who holds hints for that owner and could not tell it, by their own words. */
  readonly lastWords: Pick<LastWords, 'untoldHoldersOf'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly boot?: string;
}

type Told = 'told' | 'refused' | 'silent';

/** The owner writes its last words to its disk first. */
const TELL_WITHIN_MS = 1_000;
/** The first hint of an owner that hangs: a client waits for this. */
const ANNOUNCE_WITHIN_MS = 500;
const LOOK_EVERY_MS = 50;
/** From the first silence: its last word has lost its force by then, and those of the nodes that are to stand for it too. */
const UNTOLD_WITHIN_MS = FRESH_MS + 1_500;

export class Announcer implements BacklogNews {
  private readonly boot: string;
  private readonly startedMs: number;
  private readonly listeners = new Map<string, Listener>();
  private readonly flags: Flags;
  private readonly announcing = new Map<string, Promise<void>>();
  private sequence = 0;
  private lifetime: AbortSignal = new AbortController().signal;

  constructor(private readonly deps: AnnouncerDeps) {
    this.boot = deps.boot ?? randomUUID();
    this.startedMs = deps.clock.monotonicMs();
    this.flags = new Flags(deps);
  }

  /** Tells all peers until the signal is aborted. */
  run(signal: AbortSignal): Promise<void> {
    this.lifetime = signal;
    // One listener per word that is on its way, so as many as there are peers: no leak.
    setMaxListeners(0, signal);
    const { clock } = this.deps;
    return repeat(
      () => {
        for (const peer of this.peers()) this.attend(peer, signal);
        return Promise.resolve();
      },
      { intervalMs: TELL_EVERY_MS, signal, clock },
    );
  }

  async announce(ownerUid: string, signal: AbortSignal): Promise<void> {
    const owner = this.deps.directory.byUid(ownerUid);
    // Nobody reads from who is not registered, and this node's own hints count here anyway.
    if (owner === undefined || ownerUid === this.deps.directory.self.uid) return;
    // One that is under way may have begun before this hint was kept.
    const before = this.announcing.get(ownerUid);
    if (!this.isKnown(ownerUid) && before !== undefined) await untilAborted(before, signal);
    if (this.isKnown(ownerUid)) return;
    const begun = this.announcing.get(ownerUid) ?? this.begin(owner);
    this.announcing.set(ownerUid, begun);
    await untilAborted(begun, signal);
  }

  /**
   * Those of the owners that a holder could not tell for whom it may count on this node: they answer no read any more by a word
   * from here that does not name the holder.
   */
  stands(holder: string, owners: readonly string[]): string[] {
    const nowMs = this.deps.clock.monotonicMs();
    return owners.filter((uid) => {
      if (uid === this.deps.directory.self.uid) return false;
      const listener = this.listenerOf(uid);
      if (listener.told.witnessed.has(holder)) return true;
      this.greet(uid);
      return nowMs >= this.forceUntilMs(listener);
    });
  }

  drained(ownerUid: string): void {
    this.greet(ownerUid);
  }

  /** Tells one peer now, out of turn. */
  greet(ownerUid: string): void {
    const owner = this.deps.directory.byUid(ownerUid);
    if (owner === undefined || this.lifetime.aborted) return;
    this.attend(owner, this.lifetime);
  }

  /** The owner knows, or goes by no word of ours any more and the registry says it for us, or others do. */
  private isKnown(uid: string): boolean {
    if (this.isTold(uid)) return true;
    return !this.hasForce(uid) && (this.flags.isSettled(uid) || this.isStoodFor(uid));
  }

  private isTold(uid: string): boolean {
    return this.listenerOf(uid).knowsHolding(this.holdingOf(uid));
  }

  /** More than half of all nodes, this one among them: so one of any half that the owner hears. */
  private isStoodFor(uid: string): boolean {
    const others = this.peers().filter((peer) => this.listenerOf(peer.uid).standsFor.has(uid));
    return this.isMajority(1 + others.length);
  }

  private isMajority(count: number): boolean {
    return 2 * count > this.deps.directory.all().length;
  }

  private begin(owner: ClusterNode): Promise<void> {
    return this.makeKnown(owner).finally(() => {
      this.announcing.delete(owner.uid);
    });
  }

  private async makeKnown(owner: ClusterNode): Promise<void> {
    const told = await this.tell(owner, ANNOUNCE_WITHIN_MS, this.lifetime);
    if (told === 'told') return;
    const listener = this.listenerOf(owner.uid);
    const flagged = this.flags.set(owner, this.lifetime).then(() => {
      listener.isFlagTried = true;
    });
    if (told === 'silent') return this.untilKnown(owner, listener);
    // It is dead, and nobody reads from it. Once the registry was asked in vain, that is left to the rounds.
    if (!listener.isFlagTried) await flagged;
  }

  /** Who may still answer reads, by our last word or by a list of nodes, is given the time that these have left. */
  private async untilKnown({ uid, id }: ClusterNode, listener: Listener): Promise<void> {
    const { clock } = this.deps;
    const untilMs = clock.monotonicMs() + UNTOLD_WITHIN_MS;
    for (const peer of this.peers()) if (peer.uid !== uid) this.attend(peer, this.lifetime);
    while (!this.isKnown(uid)) {
      const isHopeless = listener.isFlagTried && !this.flags.isSet(uid) && !this.hearsMajority();
      if (isHopeless || clock.monotonicMs() >= untilMs) throw isolated(id);
      await clock.sleep(LOOK_EVERY_MS, this.lifetime);
    }
  }

  /** Whether it may answer reads by our last word. */
  private hasForce(uid: string): boolean {
    return this.deps.clock.monotonicMs() < this.forceUntilMs(this.listenerOf(uid));
  }

  /** The words of an earlier run, of which nothing is known, had a tick from before this run. */
  private forceUntilMs({ tick }: Listener): number {
    return (tick?.heardMs ?? this.startedMs) + FRESH_MS;
  }

  private hearsMajority(): boolean {
    const sinceMs = this.deps.clock.monotonicMs() - FRESH_MS;
    const heard = this.peers().filter(({ uid }) => {
      const { tick } = this.listenerOf(uid);
      return tick !== undefined && tick.heardMs >= sinceMs;
    });
    return this.isMajority(1 + heard.length);
  }

  /** One round for one peer: tells it, and keeps its flag as it should be. Never rejects, never twice at once. */
  private attend(peer: ClusterNode, signal: AbortSignal): void {
    const listener = this.listenerOf(peer.uid);
    if (listener.isTelling) {
      listener.isOwed = true;
      return;
    }
    listener.isTelling = true;
    listener.isOwed = false;
    const round = async () => {
      const bootBefore = listener.tick?.boot;
      const told = await this.tell(peer, TELL_WITHIN_MS, signal);
      // It has begun anew: without its tick our word does not count yet.
      if (told === 'told' && listener.tick?.boot !== bootBefore) {
        await this.tell(peer, TELL_WITHIN_MS, signal);
      }
      const isHolding = this.holdingOf(peer.uid).kind === 'some';
      if (isHolding && told !== 'told') await this.flags.set(peer, signal);
      if (!isHolding) await this.flags.clear(peer, signal);
    };
    round()
      .catch((error: unknown) => {
        // It ends with the agent; everything else was an answer already.
        if (!isAbort(error))
          this.deps.logger.error('telling a peer of hints failed', { err: error });
      })
      .finally(() => {
        listener.isTelling = false;
        if (listener.isOwed && !signal.aborted) this.attend(peer, signal);
      });
  }

  private async tell(peer: ClusterNode, withinMs: number, signal: AbortSignal): Promise<Told> {
    const { client, clock, onNotRefused, onRefused } = this.deps;
    const listener = this.listenerOf(peer.uid);
    const said = this.toSay(peer.uid);
    const news = this.newsFor(peer.uid, listener, said);
    listener.noteSending(said, news);
    const body = Buffer.from(JSON.stringify(news));
    const call = { method: 'POST', path: BACKLOG_PATH, body, deadlineMs: withinMs } as const;
    try {
      const answer = await client.call(peer.address, peer.uid, call, signal);
      onNotRefused(peer.uid);
      if (answer.status !== 200) {
        listener.isReady = false;
        return 'silent';
      }
      const heard = newsAnswerSchema.parse(JSON.parse(answer.body.toString('utf8')));
      listener.noteAnswer(said, news, heard, clock);
      if (heard.ready && !listener.isReady) this.deps.onReady?.(peer.uid);
      listener.isReady = heard.ready;
      return 'told';
    } catch (error) {
      if (signal.aborted) throw error;
      listener.isReady = false;
      // Sent perhaps, and perhaps taken: what it knows is known again when it answers.
      if (!isRefusedConnection(error)) {
        onNotRefused(peer.uid);
        return 'silent';
      }
      await onRefused(peer.uid, signal);
      return 'refused';
    }
  }

  private toSay(uid: string): Said {
    const { lastWords } = this.deps;
    const witnessed = lastWords.untoldHoldersOf(uid).filter((holder) => holder !== uid);
    return { holding: this.holdingOf(uid), witnessed: new Set(witnessed) };
  }

  private newsFor(uid: string, { tick, gate }: Listener, { holding, witnessed }: Said): News {
    this.sequence += 1;
    const groups = holding.kind === 'some' ? [...(holding.groups ?? [])] : [];
    return {
      from: this.deps.directory.self.uid,
      boot: this.boot,
      sequence: this.sequence,
      holds: holding.kind === 'some',
      groups,
      untold: this.untold().filter((owner) => owner !== uid),
      witnessed: [...witnessed],
      ...(tick === undefined ? {} : { tick: { boot: tick.boot, ms: tick.ms } }),
      ...(gate === undefined || !this.isDrainedSince(uid, gate.sinceMs)
        ? {}
        : { drained: { boot: gate.boot, epoch: gate.epoch } }),
    };
  }

  /** Also those of an earlier run of which nothing is known yet. */
  private untold(): string[] {
    const { handoff, directory } = this.deps;
    return handoff
      .backlogs()
      .filter(({ ownerUid, records }) => records > 0 && ownerUid !== directory.self.uid)
      .map(({ ownerUid }) => ownerUid)
      .filter((owner) => !this.flags.isSettled(owner) && !this.isTold(owner));
  }

  /** Both times are of this machine's clock: where it jumps, the owner's gate opens late, at its timeout at the latest. */
  private isDrainedSince(uid: string, sinceMs: number): boolean {
    const backlog = this.backlogOf(uid);
    if (backlog === undefined) return true;
    return backlog.oldestMs !== undefined && backlog.oldestMs > sinceMs;
  }

  private holdingOf(uid: string): Holding {
    const backlog = this.backlogOf(uid);
    if (backlog === undefined) return { kind: 'none' };
    const { groups } = backlog;
    return { kind: 'some', groups: groups.length === 0 ? undefined : new Set(groups) };
  }

  private backlogOf(uid: string) {
    return this.deps.handoff
      .backlogs()
      .find(({ ownerUid, records }) => ownerUid === uid && records > 0);
  }

  private peers(): readonly ClusterNode[] {
    const { directory } = this.deps;
    return directory.all().filter(({ uid }) => uid !== directory.self.uid);
  }

  private listenerOf(uid: string): Listener {
    const known = this.listeners.get(uid);
    if (known !== undefined) return known;
    const listener = new Listener();
    this.listeners.set(uid, listener);
    return listener;
  }
}

function isolated(owner: number): AppError {
  const why = `node ${owner} does not answer and could lack these points unknowingly`;
  const tried = 'no manager could be reached to flag it, nor more than half of all nodes';
  return new AppError(
    'isolated',
    `${why}: ${tried}; what was applied or hinted stays, send it again when the network is whole`,
    { status: 503, retryable: true, retryAfterSeconds: 1 },
  );
}

/** The work goes on: others wait for it too. */
function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      reject(new AppError('aborted', 'telling an owner of its hint was stopped'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}
