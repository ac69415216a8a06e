// Tells every peer, at least once a second, what this node holds for it, and the first hint before the write is answered. An
// owner that can't be told is flagged in the registry, once, until all hints for it are delivered.
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
import type { Holding, News } from './news-wire.js';
import {
  BACKLOG_PATH,
  covers,
  FRESH_MS,
  newsAnswerSchema,
  NOTHING,
  TELL_EVERY_MS,
} from './news-wire.js';

export interface AnnouncerDeps {
  readonly handoff: Pick<Handoff, 'backlogs'>;
  readonly directory: NodeDirectory;
  readonly client: Pick<PeerClient, 'call'>;
  readonly flags: BehindFlags;
  /** What became of a word: whether the peer's address refuses connections matters to the judge of reads. */
  readonly onRefused: (uid: string, signal: AbortSignal) => Promise<void>;
  readonly onNotRefused: (uid: string) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly boot?: string;
}

interface Listener {
  /** What it knows at least, whichever of the words on their way it gets. */
  told: Holding;
  toldSequence: number;
  /** The last word that said less than it knew: what an earlier one said it may have forgotten by that. */
  weakenedBy: number;
  /** It could be neither told nor flagged, and answers no reads by an earlier word any more. */
  isGivenUp: boolean;
  tick: { readonly boot: string; readonly ms: number; readonly heardMs: number } | undefined;
  gate: { readonly boot: string; readonly epoch: number; readonly sinceMs: number } | undefined;
  isTelling: boolean;
  /** It was to be told again while it was being told. */
  isOwed: boolean;
  announcing: Promise<void> | undefined;
}

type Told = 'told' | 'refused' | 'silent';

/** The owner writes its last words to its disk first. */
const TELL_WITHIN_MS = 1_000;
/** The first hint of an owner that hangs: a client waits for this. */
const ANNOUNCE_WITHIN_MS = 500;
const LOOK_EVERY_MS = 50;

export class Announcer implements BacklogNews {
  private readonly boot: string;
  private readonly startedMs: number;
  private readonly listeners = new Map<string, Listener>();
  private readonly flags: Flags;
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
    const listener = this.listenerOf(ownerUid);
    // One that is under way may have begun before this hint was kept.
    if (!this.isKnown(ownerUid, listener) && listener.announcing !== undefined) {
      await untilAborted(listener.announcing, signal);
    }
    if (this.isKnown(ownerUid, listener)) return;
    listener.announcing ??= this.begin(owner, listener).finally(() => {
      listener.announcing = undefined;
    });
    await untilAborted(listener.announcing, signal);
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

  /** The owner knows, or the registry says it for us, or neither could be had and will be tried again with each round. */
  private isKnown(uid: string, { told, isGivenUp }: Listener): boolean {
    return isGivenUp || this.flags.isSet(uid) || covers(told, this.holdingOf(uid));
  }

  private async begin(owner: ClusterNode, listener: Listener): Promise<void> {
    const told = await this.tell(owner, ANNOUNCE_WITHIN_MS, this.lifetime);
    if (told === 'told') return;
    const flagged = this.flags.set(owner, this.lifetime);
    // Who may still answer reads by our last word is given the time that this word has left.
    if (told === 'silent') await this.untilForceIsLost(owner.uid, listener);
    await flagged;
    listener.isGivenUp = !this.isKnown(owner.uid, listener);
  }

  private async untilForceIsLost(uid: string, listener: Listener): Promise<void> {
    const { clock } = this.deps;
    const { lifetime } = this;
    const untilMs = (listener.tick?.heardMs ?? this.startedMs) + FRESH_MS;
    while (clock.monotonicMs() < untilMs && !covers(listener.told, this.holdingOf(uid))) {
      if (lifetime.aborted) return;
      await clock.sleep(LOOK_EVERY_MS, lifetime).catch(() => undefined); // the loop sees why
    }
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
    const holding = this.holdingOf(peer.uid);
    const news = this.newsFor(peer.uid, listener, holding);
    weaken(listener, holding, news.sequence);
    const body = Buffer.from(JSON.stringify(news));
    const call = { method: 'POST', path: BACKLOG_PATH, body, deadlineMs: withinMs } as const;
    try {
      const answer = await client.call(peer.address, peer.uid, call, signal);
      onNotRefused(peer.uid);
      if (answer.status !== 200) return 'silent';
      const said = newsAnswerSchema.parse(JSON.parse(answer.body.toString('utf8')));
      listener.tick = { boot: said.boot, ms: said.tick, heardMs: clock.monotonicMs() };
      const { gate } = listener;
      if (gate?.boot !== said.boot || gate.epoch !== said.epoch) {
        listener.gate = { boot: said.boot, epoch: said.epoch, sinceMs: clock.nowMs() };
      }
      if (news.sequence > listener.toldSequence && news.sequence >= listener.weakenedBy) {
        listener.toldSequence = news.sequence;
        listener.told = holding;
        listener.isGivenUp = false;
      }
      return 'told';
    } catch (error) {
      if (signal.aborted) throw error;
      // Sent perhaps, and perhaps taken: what it knows is known again when it answers.
      if (!isRefusedConnection(error)) {
        onNotRefused(peer.uid);
        return 'silent';
      }
      await onRefused(peer.uid, signal);
      return 'refused';
    }
  }

  private newsFor(uid: string, { tick, gate }: Listener, holding: Holding): News {
    this.sequence += 1;
    const groups = holding.kind === 'some' ? [...(holding.groups ?? [])] : [];
    return {
      from: this.deps.directory.self.uid,
      boot: this.boot,
      sequence: this.sequence,
      holds: holding.kind === 'some',
      groups,
      ...(tick === undefined ? {} : { tick: { boot: tick.boot, ms: tick.ms } }),
      ...(gate === undefined || !this.isDrainedSince(uid, gate.sinceMs)
        ? {}
        : { drained: { boot: gate.boot, epoch: gate.epoch } }),
    };
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
    const listener: Listener = {
      ...{ told: NOTHING, toldSequence: 0, weakenedBy: 0, isGivenUp: false },
      ...{
        tick: undefined,
        gate: undefined,
        isTelling: false,
        isOwed: false,
        announcing: undefined,
      },
    };
    this.listeners.set(uid, listener);
    return listener;
  }
}

/** A word that says less than the peer knows is on its way: from now on it may know no more than that. */
function weaken(listener: Listener, holding: Holding, sequence: number): void {
  if (covers(holding, listener.told)) return;
  listener.told = holding;
  listener.weakenedBy = sequence;
  listener.isGivenUp = false;
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
