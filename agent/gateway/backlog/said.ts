// What one peer has been told, and what it has answered, while words may be lost, late or overtaken. It only remembers; what
// follows from it is the announcer's.
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Holding, News, NewsAnswer } from './news-wire.js';
import { commonOf, covers, NOTHING } from './news-wire.js';

/** What a word says of hints for the one who is told. */
export interface Said {
  /** By the teller. */
  readonly holding: Holding;
  /** Holders that could not say so themselves. */
  readonly witnessed: ReadonlySet<string>;
}

export class Listener {
  /** What it knows at least, whichever of the words on their way it gets. */
  told: Said = { holding: NOTHING, witnessed: new Set() };
  /** The owners that it stands for: it passes on that this node holds hints for them. */
  readonly standsFor = new Set<string>();
  tick: { readonly boot: string; readonly ms: number; readonly heardMs: number } | undefined;
  gate: { readonly boot: string; readonly epoch: number; readonly sinceMs: number } | undefined;
  isTelling = false;
  /** It answered the last word, and said that hints for it can be delivered. */
  isReady = false;
  /** It was to be told again while it was being told. */
  isOwed = false;
  /** The registry was asked to flag it since it was told last. */
  isFlagTried = false;
  private toldSequence = 0;
  /** The last word that said less than it knew: what an earlier one said it may have forgotten by that. */
  private weakenedBy = 0;
  /** By owner: the last word that asked no standing for it. */
  private readonly released = new Map<string, number>();
  /** All owners that it was ever asked to stand for. */
  private readonly asked = new Set<string>();

  knowsHolding(holding: Holding): boolean {
    return covers(this.told.holding, holding);
  }

  /** From now on it may know what this word says, or what it knew before. */
  noteSending(said: Said, { sequence, untold }: News): void {
    for (const owner of this.asked) {
      if (untold.includes(owner)) continue;
      this.standsFor.delete(owner);
      this.released.set(owner, sequence);
    }
    for (const owner of untold) this.asked.add(owner);
    if (says(said, this.told)) return;
    this.told = {
      holding: commonOf(said.holding, this.told.holding),
      witnessed: new Set([...said.witnessed].filter((each) => this.told.witnessed.has(each))),
    };
    this.weakenedBy = sequence;
  }

  noteAnswer(
    said: Said,
    { sequence }: News,
    answer: NewsAnswer,
    clock: Pick<Clock, 'monotonicMs' | 'nowMs'>,
  ): void {
    const { boot, tick, epoch } = answer;
    this.tick = { boot, ms: tick, heardMs: clock.monotonicMs() };
    if (this.gate?.boot !== boot || this.gate.epoch !== epoch) {
      this.gate = { boot, epoch, sinceMs: clock.nowMs() };
    }
    this.isFlagTried = false;
    for (const owner of answer.stands) {
      if (sequence > (this.released.get(owner) ?? 0)) this.standsFor.add(owner);
    }
    if (sequence <= this.toldSequence || sequence < this.weakenedBy) return;
    this.toldSequence = sequence;
    this.told = said;
  }
}

/** Whether who hears `said` still knows all of `told`. */
function says(said: Said, told: Said): boolean {
  return (
    covers(said.holding, told.holding) &&
    [...told.witnessed].every((holder) => said.witnessed.has(holder))
  );
}
