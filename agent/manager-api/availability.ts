// Says once that the managers are away and once that they are back, however many loops notice it and however often.
import type { Logger } from '../../shared/log/logger.js';

export class Availability {
  private readonly trouble = new Map<string, string>();

  /** @param onChange told when the first part loses the managers and when the last has them again (metrics, status). */
  constructor(
    private readonly logger: Logger,
    private readonly onChange: (isAvailable: boolean) => void = () => undefined,
  ) {}

  /** Why the managers can't be used, in the words of the first failure; undefined where they can. */
  get reason(): string | undefined {
    return [...this.trouble.values()][0];
  }

  /** A call failed for `part` (`heartbeat`, `sync`) after its attempts. Repeated failures are silent. */
  failed(part: string, error: Error): void {
    const isFirst = this.trouble.size === 0;
    if (!this.trouble.has(part)) this.trouble.set(part, error.message);
    if (!isFirst) return;
    this.logger.warn('no manager can be used, going on without and trying again', {
      op: part,
      err: error,
    });
    this.onChange(false);
  }

  /** A call succeeded for `part`. */
  succeeded(part: string): void {
    if (!this.trouble.delete(part) || this.trouble.size > 0) return;
    this.logger.info('the manager answers again', { op: part });
    this.onChange(true);
  }
}
