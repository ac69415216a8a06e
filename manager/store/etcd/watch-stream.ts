// One etcd watch stream with many watchers on it, from its opening to its first trouble. It judges for itself whether the stream
// still lives and keeps up with the store; what happens afterwards is decided by whoever opened it.
import type { IDuplexStream, IWatchRequest, IWatchResponse, WatchClient } from 'etcd3';
import { messageOf } from '../../../shared/errors/app-error.js';
import type { WatchEvent } from '../port.js';
import { prefixRange, revisionOf, watchEventOf } from './convert.js';

/** What the stream tells a watcher. */
export interface StreamWatcher {
  readonly prefix: string;
  /** The server watches from now on. */
  onCreated(): void;
  onEvent(event: WatchEvent): void;
}

export interface WatchStreamDeps {
  /** A client that is then the stream's own. */
  readonly client: { readonly watchClient: Pick<WatchClient, 'watch'>; close(): void };
  /** The store's revision by a linearizable read, to find a member that lives but is cut off from the others. */
  readonly currentRevision: () => Promise<number>;
  /** How often the stream is asked for a sign of life, in milliseconds. */
  readonly checkMs: number;
  /** A stream that says nothing, or lags behind the store, for so long is given up. */
  readonly silentMs: number;
}

export class WatchStream {
  /** Resolves with the reason once the stream is of no more use. */
  readonly ended: Promise<string>;
  private readonly watchers = new Map<string, StreamWatcher>();
  private nextId = 1;
  private seenRevision = 0;
  private heardAt = performance.now();
  /** What the stream has to reach, and since when; set anew once it did. */
  private goal: { readonly revision: number; readonly since: number } | undefined;
  private readonly timer: NodeJS.Timeout;
  private settleEnded: (reason: string) => void = () => undefined;
  private isEnded = false;

  private constructor(
    private readonly deps: WatchStreamDeps,
    private readonly stream: IDuplexStream<IWatchRequest, IWatchResponse>,
  ) {
    this.ended = new Promise((resolve) => (this.settleEnded = resolve));
    stream.on('data', (response) => {
      this.receive(response);
    });
    stream.on('error', (error) => {
      this.end(messageOf(error));
    });
    stream.on('end', () => {
      this.end('etcd ended the stream');
    });
    this.timer = setInterval(() => {
      this.check();
    }, deps.checkMs);
  }

  static async open(deps: WatchStreamDeps): Promise<WatchStream> {
    try {
      return new WatchStream(deps, await deps.client.watchClient.watch());
    } catch (error) {
      deps.client.close();
      throw error;
    }
  }

  /** Adds a watcher, from the member's present revision on. Returns what removes it. */
  add(watcher: StreamWatcher): () => void {
    const id = String(this.nextId);
    this.nextId += 1;
    this.watchers.set(id, watcher);
    this.send({ create_request: { ...prefixRange(watcher.prefix), watch_id: id } });
    return () => {
      if (this.watchers.delete(id)) this.send({ cancel_request: { watch_id: id } });
    };
  }

  end(reason: string): void {
    if (this.isEnded) return;
    this.isEnded = true;
    clearInterval(this.timer);
    this.watchers.clear();
    this.stream.cancel();
    this.deps.client.close();
    this.settleEnded(reason);
  }

  private receive(response: IWatchResponse): void {
    if (this.isEnded) return;
    this.heardAt = performance.now();
    this.seenRevision = Math.max(this.seenRevision, revisionOf(response.header.revision));
    const watcher = this.watchers.get(response.watch_id);
    if (response.canceled) {
      // Compacted away, forbidden, or an id that etcd could not take: rare, and a new stream mends what can be mended.
      // The answer to a cancellation of ours finds no watcher any more.
      if (watcher !== undefined || response.created) this.end(cancelReason(response));
      return;
    }
    if (watcher === undefined) return;
    if (response.created) watcher.onCreated();
    for (const event of response.events) watcher.onEvent(watchEventOf(event));
  }

  /** Asks for a sign of life, and gives up a stream that gave none or that does not get where the store already is. */
  private check(): void {
    const now = performance.now();
    const { silentMs } = this.deps;
    if (now - this.heardAt > silentMs) {
      this.end(`nothing was heard for ${silentMs} ms`);
      return;
    }
    if (this.goal !== undefined && this.seenRevision >= this.goal.revision) this.goal = undefined;
    if (this.goal !== undefined && now - this.goal.since > silentMs) {
      this.end(`the member did not reach revision ${this.goal.revision} within ${silentMs} ms`);
      return;
    }
    this.send({ progress_request: {} });
    if (this.goal === undefined) this.setGoal();
  }

  private setGoal(): void {
    this.deps.currentRevision().then(
      (revision) => {
        this.goal ??= { revision, since: performance.now() };
      },
      () => undefined, // Whether the store can be read is others' business; without a goal only silence counts.
    );
  }

  private send(request: IWatchRequest): void {
    if (!this.isEnded) this.stream.write(request);
  }
}

function cancelReason(response: IWatchResponse): string {
  const compacted = revisionOf(response.compact_revision);
  if (compacted > 0) return `etcd compacted its history up to revision ${compacted}`;
  return response.cancel_reason === '' ? 'etcd cancelled a watch' : response.cancel_reason;
}
