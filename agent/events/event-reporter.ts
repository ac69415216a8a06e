// Tells the managers what other people should know of this node. Nothing waits for it: events queue up here while no manager
// answers, and the oldest are let go when there are too many.
import type { EventReport, ReportedKind } from '../../shared/api/events.js';
import { isAbort, isAppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';

export interface AgentEvent {
  readonly kind: ReportedKind;
  /** One sentence; never a hash or a credential. */
  readonly text: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** The same key again tells of the same thing; unique within this node. */
  readonly key?: string;
}

export interface EventsApi {
  /** False where a manager refused it, for good. Throws AppError `manager-unreachable`, `aborted`. */
  post(cluster: string, event: EventReport, signal: AbortSignal): Promise<boolean>;
}

export interface EventReporterDeps {
  readonly cluster: string;
  readonly uid: string;
  readonly nodeId: () => number | undefined;
  readonly api: EventsApi;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly logger: Logger;
}

/** What is news after an outage, and small against the memory of a process. */
const MAX_WAITING = 200;

/** Managers that were away are asked again so often. */
const RETRY_MS = 2_000;

/** Nothing to tell; any time would do, because news wakes it. */
const IDLE_MS = 3_600_000;

export class EventReporter {
  readonly name = 'events';
  readonly phase = 'workers';
  private readonly waiting: AgentEvent[] = [];
  private lost = 0;
  private wakeUp: (() => void) | undefined;

  constructor(private readonly deps: EventReporterDeps) {}

  /** Never blocks, never throws. */
  report(event: AgentEvent): void {
    this.waiting.push(event);
    if (this.waiting.length > MAX_WAITING) {
      this.waiting.shift();
      this.lost += 1;
    }
    this.wakeUp?.();
  }

  /** Sends, one after the other, until the signal is aborted. */
  async start(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const [event] = this.waiting;
      const node = this.deps.nodeId();
      if (event === undefined) await this.idle(signal);
      // Before a registration nobody would know who speaks.
      else if (node === undefined || !(await this.send(event, node, signal))) {
        await this.pause(RETRY_MS, signal);
      }
    }
  }

  /** False where it is to be tried again. */
  private async send(event: AgentEvent, node: number, signal: AbortSignal): Promise<boolean> {
    const { cluster, uid, api, logger } = this.deps;
    try {
      const isTaken = await api.post(cluster, eventBody(event, { node, uid }), signal);
      const { kind, text } = event;
      if (!isTaken) logger.warn('a manager refused an event', { kind, reason: text });
    } catch (error) {
      if (isAbort(error) || signal.aborted) return false;
      if (!isAppError(error)) throw error;
      return false; // said by those who need the managers for more than news
    }
    // It may have been let go meanwhile.
    if (this.waiting[0] === event) this.waiting.shift();
    const { lost } = this;
    this.lost = 0;
    if (lost > 0) logger.warn('events were let go while no manager answered', { count: lost });
    return true;
  }

  private async idle(signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.wakeUp = () => {
      woken.abort();
    };
    await this.pause(IDLE_MS, AbortSignal.any([woken.signal, signal]));
    this.wakeUp = undefined;
  }

  /** An abort ends it early; the loop looks what that was. */
  private async pause(ms: number, signal: AbortSignal): Promise<void> {
    await this.deps.clock.sleep(ms, signal).catch(() => undefined);
  }
}

/** An event as this node tells it. */
export function eventBody(
  { key, ...event }: AgentEvent,
  { node, uid }: { readonly node: number; readonly uid: string },
): EventReport {
  return { ...event, node, ...(key === undefined ? {} : { key: `${uid}:${key}` }) };
}
