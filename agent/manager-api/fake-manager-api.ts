// An in-memory manager for tests, behind the agent's port: several agents share one, each through a link of its own.
// Faults (unreachable, request lost, reply lost, store restored) are asked for by the test; nothing here is random.
import type { VersionTag } from '../../shared/api/version-tag.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { FakeVersion } from './fake-cluster.js';
import { FakeCluster, NO_CLUSTER } from './fake-cluster.js';
import type { EndpointAnswer, ManagerApi, ReadResult, WriteRequest } from './port.js';

/** One agent's way to the fake manager: the port, and faults of this way alone. */
export interface FakeLink extends ManagerApi {
  /** False cuts this agent off (waiting reads fail at once). */
  setReachable(reachable: boolean): void;
  /** The next write takes effect, and its answer is lost: the caller sees `manager-unreachable`. */
  loseNextReply(): void;
  /** The next write never arrives, and the caller sees `manager-unreachable`. */
  loseNextRequest(): void;
  /** Calls so far, by name; a read counts when it is made. */
  readonly calls: Readonly<Record<'read' | 'marks' | 'write' | 'writeOutcome' | 'survey', number>>;
}

export interface FakeManager {
  /** A link for one more agent. */
  api(): FakeLink;
  /** False: nobody reaches the manager, waiting reads fail at once. */
  setAvailable(available: boolean): void;
  /** The next write of anybody takes effect, and its answer is lost. */
  loseNextReply(): void;
  /** Accepted writes, oldest first; empty where there is no such cluster. */
  history(cluster: string): readonly FakeVersion[];
  newest(cluster: string): FakeVersion | undefined;
  /** Writes as a person or another node would, over whatever is newest; returns the new version. */
  commit(cluster: string, bytes: Uint8Array, options?: { readonly nodeId?: number }): FakeVersion;
  /** The store comes back from a backup that was made at `version` (0: the cluster is gone). */
  restoreStoreTo(cluster: string, version: number): void;
  /** The cluster and all its versions are deleted; the next write makes it anew, in another incarnation. */
  deleteCluster(cluster: string): void;
  /** What further endpoints answer in a survey: managers of another store, say. None by default. */
  otherEndpoints: readonly EndpointAnswer[];
  /** Reads that wait right now, over all clusters and links. */
  readonly waiting: number;
}

/** Tombstones of version v are dated so many seconds after this moment; property tests need the same bytes each time. */
const FIRST_MOMENT_MS = Date.UTC(2026, 0, 1);

export function createFakeManager(
  options: { readonly timeOf?: (version: number) => string } = {},
): FakeManager {
  return new FakeManagerServer(
    options.timeOf ?? ((version) => new Date(FIRST_MOMENT_MS + version * 1000).toISOString()),
  );
}

interface Waiter {
  readonly link: Link;
  /** Looks again, and answers where there is news. */
  readonly look: () => void;
  readonly fail: (error: AppError) => void;
}

class FakeManagerServer implements FakeManager {
  available = true;
  replyLost = false;
  otherEndpoints: readonly EndpointAnswer[] = [];
  readonly waiters = new Set<Waiter>();
  private readonly clusters = new Map<string, FakeCluster>();
  private incarnations = 0;

  constructor(private readonly timeOf: (version: number) => string) {}

  api(): FakeLink {
    return new Link(this);
  }

  setAvailable(available: boolean): void {
    this.available = available;
    if (!available) this.failWaiters();
  }

  loseNextReply(): void {
    this.replyLost = true;
  }

  history(cluster: string): readonly FakeVersion[] {
    return this.clusters.get(cluster)?.history ?? [];
  }

  newest(cluster: string): FakeVersion | undefined {
    return this.clusters.get(cluster)?.newest;
  }

  commit(cluster: string, bytes: Uint8Array, options: { nodeId?: number } = {}): FakeVersion {
    const seen = this.newest(cluster)?.tag;
    const idempotencyKey = `commit-${(seen?.version ?? 0) + 1}-${this.incarnations}`;
    const result = this.write(cluster, { seen, bytes, idempotencyKey, nodeId: options.nodeId });
    const made = this.newest(cluster);
    if (result.kind !== 'accepted' || !made) {
      const why = result.kind === 'refused' ? result.detail : result.kind;
      throw new AppError('internal', `the fake manager did not take a test's commit: ${why}`);
    }
    return made;
  }

  restoreStoreTo(cluster: string, version: number): void {
    if (version === 0) this.deleteCluster(cluster);
    else this.clusters.get(cluster)?.goBackTo(version);
    this.wake();
  }

  deleteCluster(cluster: string): void {
    this.clusters.delete(cluster);
    this.wake();
  }

  get waiting(): number {
    return this.waiters.size;
  }

  cluster(name: string): FakeCluster | undefined {
    return this.clusters.get(name);
  }

  /** The newest snapshot for this reader; the new incarnation of a fork wakes everybody else. */
  read(name: string, seen: VersionTag | undefined) {
    const cluster = this.clusters.get(name);
    const before = cluster?.newest?.tag.incarnation;
    const snapshot = cluster?.read(seen);
    if (cluster?.newest?.tag.incarnation !== before) this.wake();
    return snapshot;
  }

  write(name: string, request: WriteRequest) {
    const existing = this.clusters.get(name);
    const cluster = existing ?? this.newCluster();
    const result = cluster.write(request);
    if (!existing && cluster.newest) this.clusters.set(name, cluster);
    this.wake();
    return result;
  }

  failWaiters(link?: Link): void {
    for (const waiter of [...this.waiters]) {
      if (link === undefined || waiter.link === link) waiter.fail(unreachable());
    }
  }

  private newCluster(): FakeCluster {
    return new FakeCluster({
      newIncarnation: () => {
        this.incarnations += 1;
        return `00000000-0000-4000-8000-${String(this.incarnations).padStart(12, '0')}`;
      },
      timeOf: this.timeOf,
    });
  }

  private wake(): void {
    for (const waiter of [...this.waiters]) waiter.look();
  }
}

class Link implements FakeLink {
  readonly calls = { read: 0, marks: 0, write: 0, writeOutcome: 0, survey: 0 };
  private reachable = true;
  private replyLost = false;
  private requestLost = false;

  constructor(private readonly server: FakeManagerServer) {}

  setReachable(reachable: boolean): void {
    this.reachable = reachable;
    if (!reachable) this.server.failWaiters(this);
  }

  loseNextReply(): void {
    this.replyLost = true;
  }

  loseNextRequest(): void {
    this.requestLost = true;
  }

  async read(cluster: string, options: Parameters<ManagerApi['read']>[1]): Promise<ReadResult> {
    this.calls.read += 1;
    this.assertReachable(options.signal);
    return this.look(cluster, options.seen) ?? (await this.wait(cluster, options));
  }

  async marks(...[cluster, version, signal]: Parameters<ManagerApi['marks']>) {
    this.calls.marks += 1;
    this.assertReachable(signal);
    const marks = this.server.cluster(cluster)?.marks(version);
    if (marks) return marks;
    throw new AppError(
      'version-not-found',
      `reading the marks of version ${version} of cluster ${cluster}: the manager does not keep that version`,
      { status: 404 },
    );
  }

  async write(...[cluster, request, signal]: Parameters<ManagerApi['write']>) {
    this.calls.write += 1;
    this.assertReachable(signal);
    if (this.requestLost) {
      this.requestLost = false;
      throw unreachable();
    }
    const result = this.server.write(cluster, request);
    if (this.replyLost || this.server.replyLost) {
      this.replyLost = false;
      this.server.replyLost = false;
      throw unreachable();
    }
    return result;
  }

  async writeOutcome(...[cluster, key, signal]: Parameters<ManagerApi['writeOutcome']>) {
    this.calls.writeOutcome += 1;
    this.assertReachable(signal);
    const tag = this.server.cluster(cluster)?.outcome(key);
    return tag ? ({ kind: 'accepted', tag } as const) : ({ kind: 'unknown-key' } as const);
  }

  async survey(cluster: string, signal?: AbortSignal): Promise<readonly EndpointAnswer[]> {
    this.calls.survey += 1;
    this.assertReachable(signal);
    const incarnation = this.server.newest(cluster)?.tag.incarnation;
    return [{ endpoint: 'fake', incarnation }, ...this.server.otherEndpoints];
  }

  private assertReachable(signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw aborted();
    if (!this.reachable || !this.server.available) throw unreachable();
  }

  /** What a reader gets at once, or undefined where it has to wait. */
  private look(cluster: string, seen: VersionTag | undefined): ReadResult | undefined {
    if (this.server.cluster(cluster)) {
      const snapshot = this.server.read(cluster, seen);
      return snapshot && { kind: 'snapshot', snapshot };
    }
    const hasSeen = seen !== undefined && seen.version > NO_CLUSTER.tag.version;
    return hasSeen ? { kind: 'cluster-not-found' } : undefined;
  }

  private wait(
    cluster: string,
    { seen, waitMs, signal }: Parameters<ManagerApi['read']>[1],
  ): Promise<ReadResult> {
    if (waitMs <= 0) return Promise.resolve({ kind: 'unchanged' });
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.server.waiters.delete(waiter);
      };
      const answer = (result: ReadResult) => {
        leave();
        resolve(result);
      };
      const fail = (error: AppError) => {
        leave();
        reject(error);
      };
      const look = () => {
        const result = this.look(cluster, seen);
        if (result) answer(result);
      };
      const onAbort = () => {
        fail(aborted());
      };
      const waiter: Waiter = { link: this, look, fail };
      const timer = setTimeout(() => {
        answer({ kind: 'unchanged' });
      }, waitMs);
      signal?.addEventListener('abort', onAbort);
      this.server.waiters.add(waiter);
    });
  }
}

function unreachable(): AppError {
  return new AppError('manager-unreachable', 'calling the manager: nothing answers (fake)', {
    status: 503,
    retryable: true,
  });
}

function aborted(): AppError {
  return new AppError('aborted', 'calling the manager: the caller gave up waiting');
}
