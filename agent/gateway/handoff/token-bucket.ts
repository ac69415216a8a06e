// A limit of bytes per second: who wants to send waits until there are tokens for it.
import type { Clock } from '../../../shared/lifecycle/clock.js';

export class TokenBucket {
  private tokens: number;
  private filledMs: number;

  /** `bytesPerSecond` 0: no limit. One second's worth may go at once. */
  constructor(
    private readonly bytesPerSecond: number,
    private readonly clock: Clock,
  ) {
    this.tokens = bytesPerSecond;
    this.filledMs = clock.monotonicMs();
  }

  /** Resolves when so many bytes may go. More than a second's worth goes when the bucket is full, and is paid off afterwards. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.bytesPerSecond === 0) return;
    const wanted = Math.min(bytes, this.bytesPerSecond);
    for (;;) {
      this.fill();
      if (this.tokens >= wanted) break;
      const missing = wanted - this.tokens;
      await this.clock.sleep(Math.ceil((missing / this.bytesPerSecond) * 1000), signal);
    }
    this.tokens -= bytes;
  }

  private fill(): void {
    const nowMs = this.clock.monotonicMs();
    const fresh = ((nowMs - this.filledMs) / 1000) * this.bytesPerSecond;
    this.tokens = Math.min(this.bytesPerSecond, this.tokens + fresh);
    this.filledMs = nowMs;
  }
}
