// Whether this node may answer a read: only when every peer is known to hold no hints for it. Each owner judges itself, so that
// whoever asks it, and whatever that one believes, gets no answer that lacks an acknowledged point.
import type { Handoff } from '../handoff/port.js';
import type { ReadPermission } from '../owner/local-owner.js';
import type { NodeDirectory } from '../placement/port.js';
import { concerns, TELL_EVERY_MS } from './news-wire.js';
import type { PeerWords } from './peer-words.js';

export interface ReadJudgeDeps {
  readonly words: Pick<PeerWords, 'holdingOf' | 'isFresh' | 'isGone' | 'isFlagged'>;
  readonly directory: Pick<NodeDirectory, 'self' | 'all'>;
  /** This node's own hints for its own influxd count too. */
  readonly handoff: Pick<Handoff, 'backlogs'>;
}

type Judgement = Awaited<ReturnType<ReadPermission['mayServe']>>;

/** Hints are drained within seconds as a rule. */
const HELD_RETRY_MS = 1_000;

export class ReadJudge implements ReadPermission {
  constructor(private readonly deps: ReadJudgeDeps) {}

  /** At once. Groups are ids in the placement; none: any node may answer. */
  mayServe(groups: readonly number[]): Promise<Judgement> {
    return Promise.resolve(groups.length === 0 ? { kind: 'yes' } : this.judge(groups));
  }

  private judge(groups: readonly number[]): Judgement {
    const { words, directory } = this.deps;
    if (this.holdsItself(groups)) {
      return behind('hints that it holds for its own influxd are not delivered yet', HELD_RETRY_MS);
    }
    for (const { uid, id } of directory.all()) {
      if (uid === directory.self.uid) continue;
      if (concerns(words.holdingOf(uid), groups)) {
        return behind(`node ${id} holds hints for it`, HELD_RETRY_MS);
      }
      if (words.isFresh(uid)) continue;
      if (words.isFlagged(uid)) {
        return behind(`node ${id} holds hints for it and could not tell it so`, HELD_RETRY_MS);
      }
      if (!words.isGone(uid)) {
        const why = `node ${id} has not told whether it holds hints for it`;
        return behind(why, TELL_EVERY_MS);
      }
    }
    return { kind: 'yes' };
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
