// How far a batch has come at its owners, as their words come in, and when nobody waits for its level any more: because it is
// reached, because no owner has anything more to say, or because the time is over. It sends nothing.
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Delivery } from './delivery.js';
import { isReached, type Level } from './level.js';
import type { OwnerState } from './owner-state.js';

export interface OwnerResult {
  readonly node: number;
  readonly state: OwnerState;
}

export interface Running {
  readonly node: number;
  readonly delivery: Delivery;
}

/**
 * How long an answer waits for the level when all owners are late: influxd's own write-timeout. What comes later still
 * comes; the client learns that it was not in time.
 */
export const LEVEL_WAIT_MS = 10_000;

/** A reason that is made once: the timer of each batch is ended, as a rule. */
const NOT_WAITED_FOR = 'nobody waits any more';

export class LevelWait {
  /** Never rejects. */
  readonly over: Promise<void>;
  private finish: () => void = () => undefined;
  private readonly timer = new AbortController();
  private readonly states = new Map<number, OwnerState>();
  private running: readonly Running[] = [];
  private open = 0;

  constructor(
    private readonly level: Level,
    private readonly owners: number,
    { clock, signal }: { readonly clock: Pick<Clock, 'sleep'>; readonly signal: AbortSignal },
  ) {
    const stop = () => {
      this.finish();
    };
    this.over = new Promise((resolve) => {
      this.finish = () => {
        this.timer.abort(NOT_WAITED_FOR);
        signal.removeEventListener('abort', stop);
        resolve();
      };
    });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    clock
      .sleep(LEVEL_WAIT_MS, this.timer.signal)
      // Ended because there is nothing to wait for any more.
      .catch(() => undefined)
      .finally(stop);
  }

  /** When a hint for an owner that is late makes the answer come sooner: at once where hints count for the level. */
  get unneeded(): Promise<void> {
    return this.level === 'any' ? Promise.resolve() : this.over;
  }

  /** Resolves once every owner has the batch, or a hint for it is on disk, or neither can be. */
  async follow(running: readonly Running[]): Promise<void> {
    this.running = running;
    this.open = running.length;
    for (const { node, delivery } of running) {
      void delivery.ended.then((state) => {
        this.open -= 1;
        this.note(node, state);
      });
    }
    await Promise.all(
      running.map(async ({ node, delivery }) => {
        this.note(node, await delivery.secured);
      }),
    );
  }

  /** By the last words of all owners. */
  get results(): OwnerResult[] {
    return this.running.flatMap(({ node }) => {
      const state = this.states.get(node);
      return state === undefined ? [] : [{ node, state }];
    });
  }

  get isReached(): boolean {
    let [applied, hinted] = [0, 0];
    for (const state of this.states.values()) {
      if (isDone(state)) applied += 1;
      if (state.kind === 'hinted') hinted += 1;
    }
    return isReached(this.level, { owners: this.owners, applied, hinted });
  }

  private note(node: number, state: OwnerState): void {
    const known = this.states.get(node);
    // The end of a request may be told before that it was late.
    if (known === undefined || !isDone(known)) this.states.set(node, state);
    if (this.open === 0 || this.isReached) this.finish();
  }
}

/** Applied means: has all that it will ever take of the batch. */
export function isDone({ kind }: OwnerState): boolean {
  return kind === 'applied' || kind === 'refused' || kind === 'gone';
}
