// All watches of this process over one stream, which is built anew after any trouble. Every watcher is then told `reset`,
// because nobody knows what it missed: events only ever wake those who read again.
import { AppError, isAbort } from '../../../shared/errors/app-error.js';
import { createBackoff, sleep } from '../../../shared/lifecycle/backoff.js';
import type { Logger } from '../../../shared/log/logger.js';
import { assertNotAborted, bounded } from '../deadline.js';
import type { Watch, WatchEvent } from '../port.js';
import type { EtcdConnections } from './connections.js';
import { WatchStream, type StreamWatcher } from './watch-stream.js';

export interface EtcdWatchHubDeps {
  readonly connections: EtcdConnections;
  readonly currentRevision: () => Promise<number>;
  readonly logger: Logger;
  readonly checkMs: number;
  readonly silentMs: number;
}

/** One caller's watch over all the streams that carry it. */
class Subscription implements StreamWatcher {
  readonly created: Promise<void>;
  /** Makes `created` reject; without effect once the watch was created. */
  readonly fail: (error: AppError) => void;
  private readonly settleCreated: () => void;
  private wasCreated = false;
  /** Takes the watcher off its present stream. */
  leaveStream: () => void = () => undefined;

  constructor(
    readonly prefix: string,
    readonly onEvent: (event: WatchEvent) => void,
  ) {
    const { promise, resolve, reject } = deferred();
    this.created = promise;
    this.settleCreated = resolve;
    this.fail = reject;
  }

  onCreated(): void {
    if (this.wasCreated) this.onEvent({ kind: 'reset' });
    this.wasCreated = true;
    this.settleCreated();
  }
}

export class EtcdWatchHub {
  private readonly subscriptions = new Set<Subscription>();
  private readonly closing = new AbortController();
  private stream: WatchStream | undefined;
  private running: Promise<void> | undefined;

  constructor(private readonly deps: EtcdWatchHubDeps) {}

  /** Resolves once etcd watches. Throws AppError `store-unavailable` where that takes longer than the connections' deadline. */
  async watch(
    prefix: string,
    onEvent: (event: WatchEvent) => void,
    signal: AbortSignal | undefined,
  ): Promise<Watch> {
    if (this.closing.signal.aborted) throw this.closed();
    assertNotAborted(signal);
    const subscription = new Subscription(prefix, onEvent);
    this.subscriptions.add(subscription);
    this.attach(subscription);
    this.running ??= this.run();
    try {
      await this.untilCreated(subscription, signal);
    } catch (error) {
      this.remove(subscription);
      throw error;
    }
    return {
      close: () => {
        this.remove(subscription);
      },
    };
  }

  async close(): Promise<void> {
    this.closing.abort();
    for (const subscription of this.subscriptions) subscription.fail(this.closed());
    this.subscriptions.clear();
    this.stream?.end('the store closes');
    await this.running;
  }

  private async untilCreated(
    subscription: Subscription,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    await bounded(subscription.created, {
      timeoutMs: this.deps.connections.timeoutMs,
      signal,
      onTimeout: () => this.cannotWatch(subscription.prefix),
    });
  }

  private attach(subscription: Subscription): void {
    if (this.stream !== undefined) subscription.leaveStream = this.stream.add(subscription);
  }

  private remove(subscription: Subscription): void {
    if (!this.subscriptions.delete(subscription)) return;
    subscription.leaveStream();
    if (this.subscriptions.size === 0) this.stream?.end('nobody watches any more');
  }

  /** Stream after stream while somebody watches; the pause between two grows while none of them lives. */
  private async run(): Promise<void> {
    const backoff = createBackoff();
    while (this.subscriptions.size > 0 && !this.closing.signal.aborted) {
      const openedAt = performance.now();
      await this.runOneStream();
      if (performance.now() - openedAt > this.deps.silentMs) backoff.reset();
      if (this.subscriptions.size > 0) await this.pause(backoff.nextDelayMs());
    }
    this.running = undefined;
  }

  private async runOneStream(): Promise<void> {
    const { connections, logger, currentRevision, checkMs, silentMs } = this.deps;
    const { client, endpoint } = connections.streamClient();
    try {
      this.stream = await WatchStream.open({ client, currentRevision, checkMs, silentMs });
      for (const subscription of this.subscriptions) this.attach(subscription);
      const reason = await this.stream.ended;
      if (this.subscriptions.size === 0) return;
      logger.warn(
        'the watch stream of the store broke; it is opened again and everything read anew',
        {
          component: 'etcd',
          op: 'watch',
          reason,
        },
      );
    } catch (error) {
      connections.learn(error);
      logger.warn('opening a watch stream of the store failed; it is tried again', {
        component: 'etcd',
        op: 'watch',
        err: error,
      });
    } finally {
      this.stream = undefined;
    }
    connections.leave(endpoint);
  }

  private async pause(ms: number): Promise<void> {
    try {
      await sleep(ms, this.closing.signal);
    } catch (error) {
      // The store closes: the loop looks at that itself.
      if (!isAbort(error)) throw error;
    }
  }

  private closed(): AppError {
    const { location } = this.deps.connections;
    return new AppError('store-unavailable', `the connection to etcd at ${location} is closed`, {
      status: 503,
    });
  }

  private cannotWatch(prefix: string): AppError {
    const { location, timeoutMs } = this.deps.connections;
    return new AppError(
      'store-unavailable',
      `watching ${prefix} in etcd at ${location} failed: no answer within ${timeoutMs} ms; check that etcd runs and can be reached`,
      { status: 503, retryable: true },
    );
  }
}

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: AppError) => void;
}

function deferred(): Deferred {
  let resolve: () => void = () => undefined;
  let reject: (error: AppError) => void = () => undefined;
  const promise = new Promise<void>((whenDone, whenFailed) => {
    resolve = whenDone;
    reject = whenFailed;
  });
  // A watch that was created, or given up, before it failed leaves nobody who would look.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
