// Whether this node may answer a read: only when every peer is known to hold no hints for it. Each owner judges itself, so that
// whoever asks it, and whatever that one believes, gets no answer that lacks an acknowledged point. A peer that has vanished is
// presumed to hold none where the registry says so and enough others are heard; why that is exact is in the README.
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Handoff } from '../handoff/port.js';
import type { ReadPermission } from '../owner/local-owner.js';
import type { ClusterNode, NodeDirectory } from '../placement/port.js';
import { concerns, LIST_GOOD_MS, TELL_EVERY_MS } from './news-wire.js';
import type { PeerWords } from './peer-words.js';

export interface ReadJudgeDeps {
  readonly words: Pick<
    PeerWords,
    'holdingOf' | 'isFresh' | 'isGone' | 'isHeardOut' | 'isFlagged' | 'forceUntilMs'
  >;
  readonly directory: Pick<NodeDirectory, 'self' | 'all' | 'node' | 'refresh' | 'readBegunMs'>;
  /** This node's own hints for its own influxd count too. */
  readonly handoff: Pick<Handoff, 'backlogs'>;
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  /** Ends what it asks of the managers: many reads wait for one answer, so that none of them may end it. */
  readonly lifetime: AbortSignal;
}

type Judgement = Awaited<ReturnType<ReadPermission['mayServe']>>;

/** Hints are drained within seconds as a rule. */
const HELD_RETRY_MS = 1_000;
/** While somebody is silent and reads come, the list of nodes is read anew when it is so old: before it is good for nothing. */
const LIST_AGAIN_MS = LIST_GOOD_MS / 2;
/** A read waits so long for a list; other owners can be asked meanwhile. */
const LIST_WITHIN_MS = 500;

export class ReadJudge implements ReadPermission {
  constructor(private readonly deps: ReadJudgeDeps) {}

  /** Groups are ids in the placement; none: any node may answer. At once, but where a list of nodes has to be had first. */
  async mayServe(groups: readonly number[]): Promise<Judgement> {
    if (groups.length === 0) return { kind: 'yes' };
    const first = this.judge(groups);
    if (first.silent.length === 0) return first.judgement;
    if (this.listAgeMs() >= LIST_AGAIN_MS) {
      const read = this.readList();
      if (this.listAgeMs() >= LIST_GOOD_MS) await read;
    }
    // Nothing of what was found before the list came counts any more.
    const { judgement, silent } = this.judge(groups);
    if (judgement.kind === 'behind') return judgement;
    const peer = silent.find((each) => !this.isPresumedGone(each));
    if (peer === undefined) return judgement;
    const why = `node ${peer.id} has not told whether it holds hints for it`;
    return behind(why, TELL_EVERY_MS);
  }

  /** Without regard to those who are silent, who are named. */
  private judge(groups: readonly number[]): {
    readonly judgement: Judgement;
    readonly silent: readonly ClusterNode[];
  } {
    const { words, directory } = this.deps;
    const no = (why: string) => ({ judgement: behind(why, HELD_RETRY_MS), silent: [] });
    if (this.holdsItself(groups)) {
      return no('hints that it holds for its own influxd are not delivered yet');
    }
    const silent: ClusterNode[] = [];
    for (const peer of directory.all()) {
      const { uid, id } = peer;
      if (uid === directory.self.uid) continue;
      if (concerns(words.holdingOf(uid), groups)) return no(`node ${id} holds hints for it`);
      if (words.isFresh(uid)) continue;
      if (words.isFlagged(uid)) {
        return no(`node ${id} holds hints for it and could not tell it so`);
      }
      if (!words.isGone(uid)) silent.push(peer);
    }
    return { judgement: { kind: 'yes' }, silent };
  }

  /**
   * It was heard by this run and held nothing then; a list that is good for now, and was asked for after its last word had lost
   * its force, does not call it alive (and bears no flag: that was looked at); and at least half of all nodes are heard.
   */
  private isPresumedGone({ uid, isAlive }: ClusterNode): boolean {
    const { words, directory } = this.deps;
    const untilMs = words.forceUntilMs(uid);
    const { readBegunMs } = directory;
    if (untilMs === undefined || readBegunMs === undefined || readBegunMs < untilMs) return false;
    const { id } = directory.self;
    const isListed = id !== undefined && directory.node(id) !== undefined;
    return isListed && !isAlive && this.listAgeMs() < LIST_GOOD_MS && this.hearsHalf();
  }

  private hearsHalf(): boolean {
    const { words, directory } = this.deps;
    const all = directory.all();
    const unheard = all.filter(
      ({ uid }) => uid !== directory.self.uid && !words.isFresh(uid) && !words.isHeardOut(uid),
    );
    return 2 * unheard.length <= all.length;
  }

  private listAgeMs(): number {
    return this.deps.clock.monotonicMs() - (this.deps.directory.readBegunMs ?? -Infinity);
  }

  /** Resolves when it is there, or can't be had in time. */
  private async readList(): Promise<void> {
    const { directory, clock, lifetime } = this.deps;
    const over = new AbortController();
    const late = clock.sleep(LIST_WITHIN_MS, AbortSignal.any([over.signal, lifetime]));
    // Both end by the agent's end too; then nobody waits for an answer any more.
    await Promise.race([directory.refresh(lifetime), late]).catch(() => undefined);
    over.abort();
  }

  private holdsItself(groups: readonly number[]): boolean {
    const { handoff, directory } = this.deps;
    return handoff
      .backlogs()
      .some(
        (each) =>
          each.ownerUid === directory.self.uid &&
          each.records > 0 &&
          concerns({ kind: 'some', groups: new Set(each.groups) }, groups),
      );
  }
}

function behind(why: string, retryAfterMs: number): Judgement {
  return { kind: 'behind', why, retryAfterMs };
}
