// How many bytes of writes may be under way so that each is still answered soon: it follows how long writes take. Without it
// a flood fills whatever room there is, every write waits behind all others until its time is over, and none is acknowledged.

/** Writes that take longer are too many at once: far below the 10 s after which a write is given up. */
const SLOW_MS = 2_000;
/** Below this there is room for more. */
const QUICK_MS = 1_000;
/** What is under way when nothing is known yet; more is learned within a second where owners are quick. */
const START_BYTES = 32 * 1024 * 1024;
/** Never less: some batches of ordinary size, so that owners always have something to do. */
const LEAST_BYTES = 4 * 1024 * 1024;
/** By this share of a write's bytes the limit moves: twice as much, or half, in the time of what is under way. */
const STEP = 0.5;

export class Pace {
  private bytes: number;

  /** @param most the limit never passes this. */
  constructor(private readonly most: number) {
    this.bytes = Math.min(most, START_BYTES);
  }

  get limit(): number {
    return this.bytes;
  }

  /** One write was worked off. `inFlight`: bytes that were under way then, its own among them. */
  note(bytes: number, tookMs: number, inFlight: number): void {
    if (tookMs > SLOW_MS) {
      this.bytes = Math.max(Math.min(LEAST_BYTES, this.most), this.bytes - bytes * STEP);
    } else if (tookMs < QUICK_MS && inFlight > this.bytes / 2) {
      // Where the room is not used, nothing is learned about more of it.
      this.bytes = Math.min(this.most, this.bytes + bytes * STEP);
    }
  }
}
