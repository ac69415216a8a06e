// What every peer has said about the hints that it or a third one holds for this node, how fresh that is, and which peers are
// gone for sure. It decides nothing: the judge of reads and the gate of writes ask it.
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { NodeDirectory } from '../placement/port.js';
import type { LastWords } from './last-words.js';
import type { Holding, News } from './news-wire.js';
import { FRESH_MS } from './news-wire.js';

export interface PeerWordsDeps {
  readonly lastWords: Pick<LastWords, 'of' | 'note'>;
  readonly directory: Pick<NodeDirectory, 'self' | 'node' | 'byUid' | 'refresh' | 'readBegunMs'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** A peer has begun a new run: it wants to know what this node holds for it. */
  readonly onNewRun?: (uid: string) => void;
  /** Made anew at each start; a test gives its own. */
  readonly boot?: string;
}

interface Heard {
  boot: string;
  sequence: number;
  /** Runs that came before this one: what still comes of them is old. */
  readonly retired: Set<string>;
  freshUntilMs: number;
  /** Since when it has held hints without a break; undefined: it holds none. */
  holdsSinceMs: number | undefined;
  drainedEpoch: number;
  /** Holders of hints for this node that could not tell it, as it passes on. */
  witnessed: ReadonlySet<string>;
}

/** Of a peer whose address refuses connections. */
interface Line {
  /** Why its last word is known to be its last: it had force when the address refused, or the registry knows of no later one. */
  gone: 'by-word' | 'by-registry' | undefined;
  isAsking: boolean;
  askedMs: number;
}

/** A registry that can't be read is asked again so often. */
const ASK_AGAIN_MS = 1_000;
/** More restarts than a message can outlive. */
const MAX_RETIRED = 16;

export class PeerWords {
  readonly boot: string;
  private readonly heard = new Map<string, Heard>();
  private readonly lines = new Map<string, Line>();

  constructor(private readonly deps: PeerWordsDeps) {
    this.boot = deps.boot ?? randomUUID();
  }

  /** Takes a peer's word; resolves once what it changes is on disk. Throws AppError `state-unwritable`. */
  async hear(news: News): Promise<void> {
    const heard = this.entryOf(news);
    if (heard === undefined) return;
    this.noteNotRefused(news.from);
    const holding: Holding = news.holds
      ? { kind: 'some', groups: news.groups.length === 0 ? undefined : new Set(news.groups) }
      : { kind: 'none' };
    if (!news.holds) heard.holdsSinceMs = undefined;
    else heard.holdsSinceMs ??= this.nowMs;
    heard.witnessed = new Set(news.witnessed);
    await this.deps.lastWords.note(news.from, holding, news.untold);
    if (news.tick?.boot === this.boot) {
      heard.freshUntilMs = Math.max(heard.freshUntilMs, news.tick.ms + FRESH_MS);
    }
    if (news.drained?.boot === this.boot) {
      heard.drainedEpoch = Math.max(heard.drainedEpoch, news.drained.epoch);
    }
  }

  /** By its last word, also of before this start. */
  holdingOf(uid: string): Holding {
    return this.deps.lastWords.of(uid);
  }

  isFresh(uid: string): boolean {
    return this.nowMs < (this.heard.get(uid)?.freshUntilMs ?? 0);
  }

  /** When its last word lost its force, or will; undefined: none of this run had any. */
  forceUntilMs(uid: string): number | undefined {
    const untilMs = this.heard.get(uid)?.freshUntilMs;
    return untilMs === 0 ? undefined : untilMs;
  }

  /** Its address refuses connections, and nothing that it acknowledged since its last word is unknown here. */
  isGone(uid: string): boolean {
    return this.lines.get(uid)?.gone !== undefined;
  }

  /** Gone, and all that it had to pass on for others is known here too: its last word had force when its address refused. */
  isHeardOut(uid: string): boolean {
    return this.lines.get(uid)?.gone === 'by-word';
  }

  /** How long it has held hints without a break, by its words of this run; undefined: it holds none. */
  holdsForMs(uid: string): number | undefined {
    const since = this.heard.get(uid)?.holdsSinceMs;
    return since === undefined ? undefined : this.nowMs - since;
  }

  /** The last closing of our gate of which it has delivered everything that it held then. */
  drainedEpoch(uid: string): number {
    return this.heard.get(uid)?.drainedEpoch ?? 0;
  }

  /** The registry, or a third node, says that it holds hints and could not tell us. It counts until it tells itself. */
  isFlagged(uid: string): boolean {
    if (this.isFresh(uid)) return false;
    if ([...this.heard.values()].some(({ witnessed }) => witnessed.has(uid))) return true;
    const { directory } = this.deps;
    const { id: own } = directory.self;
    const peer = directory.byUid(uid)?.id;
    if (own === undefined || peer === undefined) return false;
    return directory.node(own)?.behind.includes(peer) === true;
  }

  /** Somebody answers at its address, or nothing does: what it has to say it says itself. */
  noteNotRefused(uid: string): void {
    this.lines.delete(uid);
  }

  /**
   * Its address refuses connections. While its word is fresh, that was its last: what it acknowledges without telling us
   * waits until it is no more. Later, only the registry knows whether it had more to say.
   */
  async noteRefused(uid: string, signal: AbortSignal): Promise<void> {
    const line = this.lineOf(uid);
    if (line.gone !== undefined || line.isAsking) return;
    if (this.isFresh(uid)) {
      line.gone = 'by-word';
      return;
    }
    if (this.nowMs < line.askedMs + ASK_AGAIN_MS) return;
    line.isAsking = true;
    line.askedMs = this.nowMs;
    try {
      const isKnown = await this.readAfter(line.askedMs, signal);
      if (isKnown && !this.isFlagged(uid)) line.gone = 'by-registry';
    } finally {
      line.isAsking = false;
    }
  }

  /** Whether a list of nodes is had that was asked for after that. One that is just being read was asked for before. */
  private async readAfter(sinceMs: number, signal: AbortSignal): Promise<boolean> {
    const { directory } = this.deps;
    const isLate = () => (directory.readBegunMs ?? -Infinity) >= sinceMs;
    if (!(await directory.refresh(signal))) return false;
    return isLate() || ((await directory.refresh(signal)) && isLate());
  }

  private get nowMs(): number {
    return this.deps.clock.monotonicMs();
  }

  private lineOf(uid: string): Line {
    const known = this.lines.get(uid);
    if (known !== undefined) return known;
    const line: Line = { gone: undefined, isAsking: false, askedMs: -Infinity };
    this.lines.set(uid, line);
    return line;
  }

  /** Undefined where a later word of the same peer is here already. */
  private entryOf({ from, boot, sequence }: News): Heard | undefined {
    const known = this.heard.get(from);
    if (known === undefined) {
      const heard: Heard = {
        ...{ boot, sequence, retired: new Set<string>() },
        ...{ freshUntilMs: 0, holdsSinceMs: undefined, drainedEpoch: 0 },
        witnessed: new Set<string>(),
      };
      this.heard.set(from, heard);
      this.deps.onNewRun?.(from);
      return heard;
    }
    if (known.retired.has(boot) || (known.boot === boot && known.sequence >= sequence)) {
      return undefined;
    }
    if (known.boot !== boot) {
      known.retired.add(known.boot);
      const [oldest] = known.retired;
      if (known.retired.size > MAX_RETIRED && oldest !== undefined) known.retired.delete(oldest);
      known.boot = boot;
      known.drainedEpoch = 0;
      this.deps.onNewRun?.(from);
    }
    known.sequence = sequence;
    return known;
  }
}
