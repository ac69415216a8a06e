// How much may be worked on at once, in bytes and in writes: what is beyond is turned away before it takes memory, so that a
// flood ends in 503 and never in an agent that dies of it.

import { Pace } from './pace.js';

export interface AdmissionLimits {
  /** Of all claims together. One claim alone may pass it, or a write that is larger could never be made. */
  readonly maxBytes: number;
  readonly maxWrites: number;
}

/** The memory of one write. Released once, when the last copy of its bytes is gone. */
export interface Claim {
  /** Takes more, for a body whose length was not said. False: there is no more, and nothing was taken. */
  grow(bytes: number): boolean;
  /** The write was answered, so long after its body had come. */
  answered(tookMs: number): void;
  release(): void;
}

export class Admission {
  private bytes = 0;
  private writes = 0;
  private readonly pace: Pace;

  constructor(private readonly limits: AdmissionLimits) {
    this.pace = new Pace(limits.maxBytes);
  }

  get bytesInFlight(): number {
    return this.bytes;
  }

  get writesInFlight(): number {
    return this.writes;
  }

  /** Undefined: too much is under way. */
  admit(bytes: number): Claim | undefined {
    if (this.writes >= this.limits.maxWrites) return undefined;
    if (this.writes > 0 && this.bytes + bytes > this.pace.limit) return undefined;
    this.writes += 1;
    this.bytes += bytes;
    let held = bytes;
    let isReleased = false;
    return {
      grow: (more) => {
        if (isReleased) return false;
        if (this.writes > 1 && this.bytes + more > this.limits.maxBytes) return false;
        this.bytes += more;
        held += more;
        return true;
      },
      answered: (tookMs) => {
        this.pace.note(held, tookMs, this.bytes);
      },
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.writes -= 1;
        this.bytes -= held;
      },
    };
  }
}
