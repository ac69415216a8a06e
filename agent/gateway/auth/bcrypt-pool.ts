// Compares passwords with bcrypt hashes in a few threads, which start when they are needed and end when they are not. Clients
// take turns; what is beyond the limits is not run.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { FairQueue } from './fair-queue.js';

/** `busy`: not run, because too many wait, or the thread failed; asking again later may succeed. */
export type BcryptOutcome = 'right' | 'wrong' | 'busy';

export interface BcryptPool {
  /** Never rejects. `client`: whose turn it takes. */
  compare(client: string, password: string, hash: string): Promise<BcryptOutcome>;
  /** Threads at this moment. */
  readonly size: number;
  /** What waits ends as `busy`. */
  close(): Promise<void>;
}

/** What a thread is asked, and what it answers to it (bcrypt-worker.mjs). */
interface BcryptQuestion {
  readonly id: number;
  readonly password: string;
  readonly hash: string;
}
interface BcryptAnswer {
  readonly id: number;
  readonly isRight: boolean;
}

export interface BcryptPoolOptions {
  /** Threads at most; one less than the processors, 4 at most, where absent. */
  readonly threads?: number;
  /** How long an unused thread is kept. */
  readonly idleMs?: number;
}

/** Half a core is left to what the agent is there for; more threads than this help nobody who mistypes. */
const MAX_THREADS = 4;

/** A thread holds some 10 MB, and starts in 30 ms. */
const IDLE_MS = 60_000;

/** Twenty runs of 80 ms are 1.6 s for the last of one client's; beyond, a client would rather be told. */
const LIMITS = { maxPerClient: 20, max: 500 };

/** A run takes 80 ms, on a machine without time 2 s; hashes with a cost that takes longer are not influxd's. */
const RUN_MS = 10_000;

interface Job {
  readonly password: string;
  readonly hash: string;
  readonly settle: (outcome: BcryptOutcome) => void;
}

export function createBcryptPool(options: BcryptPoolOptions = {}): BcryptPool {
  return new ThreadPool(options);
}

class ThreadPool implements BcryptPool {
  private readonly queue = new FairQueue<Job>(LIMITS);
  private readonly idle: Thread[] = [];
  private readonly busy = new Set<Thread>();
  private readonly threads: number;
  private readonly idleMs: number;
  private isClosed = false;

  constructor({ threads, idleMs }: BcryptPoolOptions) {
    this.threads = threads ?? Math.max(1, Math.min(MAX_THREADS, availableParallelism() - 1));
    this.idleMs = idleMs ?? IDLE_MS;
  }

  get size(): number {
    return this.idle.length + this.busy.size;
  }

  compare(client: string, password: string, hash: string): Promise<BcryptOutcome> {
    return new Promise((resolve) => {
      const job: Job = { password, hash, settle: resolve };
      if (this.isClosed || !this.queue.put(client, job)) resolve('busy');
      else this.next();
    });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (let job = this.queue.take(); job !== undefined; job = this.queue.take()) {
      job.settle('busy');
    }
    await Promise.all([...this.idle, ...this.busy].map((thread) => thread.end()));
  }

  private next(): void {
    if (this.queue.length === 0) return;
    const thread = this.idle.pop() ?? this.another();
    const job = thread === undefined ? undefined : this.queue.take();
    if (thread === undefined || job === undefined) return;
    this.busy.add(thread);
    void this.runOn(thread, job);
  }

  private another(): Thread | undefined {
    if (this.busy.size >= this.threads) return undefined;
    return new Thread(this.idleMs, (thread) => {
      const at = this.idle.indexOf(thread);
      if (at >= 0) this.idle.splice(at, 1);
    });
  }

  private async runOn(thread: Thread, { password, hash, settle }: Job): Promise<void> {
    settle(await thread.run(password, hash));
    this.busy.delete(thread);
    if (thread.isUsable) this.idle.push(thread);
    this.next();
  }
}

/** One thread, with one question at a time. */
class Thread {
  private readonly worker: Worker;
  private timer: NodeJS.Timeout | undefined;
  private waiting: ((outcome: BcryptOutcome) => void) | undefined;
  private id = 0;
  isUsable = true;

  constructor(
    private readonly idleMs: number,
    private readonly onEnd: (thread: Thread) => void,
  ) {
    this.worker = new Worker(workerFile());
    // It never keeps the process from ending.
    this.worker.unref();
    this.worker.on('message', ({ id, isRight }: BcryptAnswer) => {
      if (id === this.id) this.settle(isRight ? 'right' : 'wrong');
    });
    // A thread that could not start or died: what it had is asked again by its client, of another thread.
    this.worker.on('error', () => void this.end());
    this.worker.on('exit', () => void this.end());
  }

  run(password: string, hash: string): Promise<BcryptOutcome> {
    this.id += 1;
    const question: BcryptQuestion = { id: this.id, password, hash };
    return new Promise((resolve) => {
      this.waiting = resolve;
      this.arm(RUN_MS);
      this.worker.postMessage(question);
    });
  }

  async end(): Promise<void> {
    this.isUsable = false;
    clearTimeout(this.timer);
    this.onEnd(this);
    this.waiting?.('busy');
    this.waiting = undefined;
    await this.worker.terminate();
  }

  private settle(outcome: BcryptOutcome): void {
    this.arm(this.idleMs);
    this.waiting?.(outcome);
    this.waiting = undefined;
  }

  private arm(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.end(), ms).unref();
  }
}

/** Beside this file: the bundle has it as an entry of its own (tools/build.mjs), and chunks lie beside entries. */
function workerFile(): URL {
  const isSource = import.meta.url.endsWith('.ts');
  return new URL(isSource ? './bcrypt-worker.mjs' : './bcrypt-worker.js', import.meta.url);
}
