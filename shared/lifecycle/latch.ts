// Something that happens once, and that others wait for.
import { AppError } from '../errors/app-error.js';

export class Latch {
  private isOpen = false;
  private waiting: (() => void)[] = [];

  open(): void {
    this.isOpen = true;
    for (const resume of this.waiting.splice(0)) resume();
  }

  /** Rejects `aborted` at the signal. */
  wait(signal: AbortSignal): Promise<void> {
    if (this.isOpen) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.waiting = this.waiting.filter((each) => each !== resume);
        reject(new AppError('aborted', 'the wait ended before it had happened'));
      };
      const resume = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      this.waiting.push(resume);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
  }
}
