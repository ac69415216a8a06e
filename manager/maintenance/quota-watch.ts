// How full etcd is: metrics, and a word in the log when it passes half its quota, or when it has raised an alarm and takes no
// more writes. It only tells; what frees space is done by a person, because it stops a member for a while.
import type { Logger } from '../../shared/log/logger.js';

/** What the member that answers says of itself. */
export interface EtcdUsage {
  /** Bytes of its database file. */
  readonly dbSize: number;
  /** Alarms, as etcd words them. */
  readonly errors: readonly string[];
}

/** At half there is time to act: what fills it usually took as long to come this far. */
const WARN_SHARE = 0.5;

interface Gauge {
  set(value: number): void;
}

export interface QuotaWatchDeps {
  readonly usage: (signal: AbortSignal) => Promise<EtcdUsage>;
  /** `etcd.quota`: etcd does not tell it. */
  readonly quotaBytes: number;
  readonly metrics: {
    readonly etcdBytes: Gauge;
    readonly etcdQuotaBytes: Gauge;
    readonly etcdAlarms: Gauge;
  };
  readonly logger: Logger;
}

type Level = 'fine' | 'filling' | 'alarm';

const REMEDY = 'compact and defragment it, or raise its quota';

export class QuotaWatch {
  private said: Level = 'fine';

  constructor(private readonly deps: QuotaWatchDeps) {}

  /** Throws what asking etcd throws. Says each change once. */
  async look(signal: AbortSignal): Promise<void> {
    const { usage, quotaBytes, metrics } = this.deps;
    const { dbSize, errors } = await usage(signal);
    metrics.etcdBytes.set(dbSize);
    metrics.etcdQuotaBytes.set(quotaBytes);
    metrics.etcdAlarms.set(errors.length);
    const level = levelOf(dbSize, quotaBytes, errors);
    if (level !== this.said) this.say(level, dbSize, errors);
    this.said = level;
  }

  private say(level: Level, bytes: number, alarms: readonly string[]): void {
    const { logger, quotaBytes } = this.deps;
    const fields = { bytes, quota: quotaBytes };
    if (level === 'alarm') {
      const detail = alarms.join('; ');
      logger.error(`etcd has an alarm and may take no writes, ${REMEDY}, then disarm it`, {
        ...fields,
        detail,
      });
    } else if (level === 'filling') {
      logger.warn(`etcd is more than half full, ${REMEDY}`, fields);
    } else {
      logger.info('etcd has space again', fields);
    }
  }
}

function levelOf(bytes: number, quota: number, alarms: readonly string[]): Level {
  if (alarms.some((alarm) => alarm.includes('alarm:'))) return 'alarm';
  return bytes > quota * WARN_SHARE ? 'filling' : 'fine';
}
