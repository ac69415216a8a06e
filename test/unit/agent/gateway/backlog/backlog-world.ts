// Some nodes that tell each other of hints, on one fake clock and a network that the test breaks at will: words can be lost,
// lose their answer, or come late, and nodes can be parted from each other and from the registry. What is on a node's disk
// outlives its process.
import { Announcer } from '../../../../../agent/gateway/backlog/announcer.js';
import { CatchUpGate } from '../../../../../agent/gateway/backlog/catch-up-gate.js';
import type { Holding } from '../../../../../agent/gateway/backlog/news-wire.js';
import { newsSchema, NOTHING } from '../../../../../agent/gateway/backlog/news-wire.js';
import { PeerWords } from '../../../../../agent/gateway/backlog/peer-words.js';
import { ReadJudge } from '../../../../../agent/gateway/backlog/read-judge.js';
import type { Backlog } from '../../../../../agent/gateway/handoff/port.js';
import type { ClusterNode, NodeDirectory } from '../../../../../agent/gateway/placement/port.js';
import type { PeerAnswer, PeerCall } from '../../../../../agent/peer/peer-client.js';
import { AppError } from '../../../../../shared/errors/app-error.js';
import { fakeClock } from '../../../../../shared/lifecycle/clock.js';
import { memoryLogger } from '../../../../../shared/log/logger.js';

/**
 * Of one direction. `slow`: a word takes its time; `late`: it arrives after its sender gave up; `no-answer`: it arrives, and
 * its answer is lost.
 */
export type Link = 'up' | 'slow' | 'lost' | 'no-answer' | 'late';

const SLOW_MS = 200;
const LATE_MS = 2_400;
const CATCH_UP_MS = 300_000;
const BEAT_MS = 500;
/** So long a node is alive without a heartbeat. */
export const TTL_MS = 2_000;

/** What a node has while its process runs. */
interface Run {
  readonly announcer: Announcer;
  readonly words: PeerWords;
  readonly judge: ReadJudge;
  readonly gate: CatchUpGate;
  readonly stopping: AbortController;
}

export class BacklogNode {
  run: Run | undefined;
  /** On disk: groups by owner, with the time of the oldest hint. */
  readonly hints = new Map<string, { groups: Set<number>; sinceMs: number }>();
  readonly lastWords = new Map<string, Holding>();
  readonly untold = new Map<string, readonly string[]>();
  readonly uid: string;
  /** The list of nodes as it last heard of it. */
  list: readonly ClusterNode[] = [];
  private reading: Promise<boolean> | undefined;

  constructor(
    readonly id: number,
    private readonly world: BacklogWorld,
  ) {
    this.uid = `n${id}`;
  }

  start(): void {
    const { clock } = this.world;
    const directory = this.directory();
    const handoff = { backlogs: () => this.backlogs() };
    const lastWords = {
      of: (uid: string) => this.lastWords.get(uid) ?? NOTHING,
      note: async (uid: string, holding: Holding, untold: readonly string[] = []) => {
        this.lastWords.set(uid, holding);
        this.untold.set(uid, untold);
      },
      untoldHoldersOf: (owner: string) =>
        [...this.untold].filter(([, owners]) => owners.includes(owner)).map(([uid]) => uid),
    };
    const boot = `${this.uid}.${(this.world.boots += 1)}`;
    const logger = memoryLogger();
    const onNewRun = (uid: string) => {
      announcer.greet(uid);
    };
    const words = new PeerWords({ lastWords, directory, clock, boot, onNewRun });
    const announcer: Announcer = new Announcer({
      ...{ handoff, directory, clock, logger, boot, lastWords },
      client: { call: (_address, uid, call) => this.world.call(this, uid, call) },
      flags: {
        set: (owner, holder) => this.world.flag(this, owner, holder, true),
        clear: (owner, holder) => this.world.flag(this, owner, holder, false),
      },
      onRefused: (uid, signal) => words.noteRefused(uid, signal),
      onNotRefused: (uid) => {
        words.noteNotRefused(uid);
      },
    });
    const gate = new CatchUpGate({ words, directory, clock, logger, timeoutMs: CATCH_UP_MS });
    const stopping = new AbortController();
    const lifetime = stopping.signal;
    const judge = new ReadJudge({ words, directory, handoff, clock, lifetime });
    this.run = { announcer, words, judge, gate, stopping };
    void announcer.run(stopping.signal);
  }

  kill(): void {
    this.run?.stopping.abort();
    this.run = undefined;
  }

  /** A hint is on disk; resolves when the write may be answered. */
  async hint(owner: BacklogNode, group = 1): Promise<void> {
    const known = this.hints.get(owner.uid);
    if (known === undefined) {
      this.hints.set(owner.uid, { groups: new Set([group]), sinceMs: this.world.clock.nowMs() });
    } else known.groups.add(group);
    await this.run?.announcer.announce(owner.uid, new AbortController().signal);
  }

  drain(owner: BacklogNode): void {
    this.hints.delete(owner.uid);
    this.run?.announcer.drained(owner.uid);
  }

  async serves(...groups: number[]): Promise<boolean> {
    const judgement = await this.run?.judge.mayServe(groups.length === 0 ? [1] : groups);
    return judgement?.kind === 'yes';
  }

  get takesDirect(): boolean {
    return this.run?.gate.isOpen === true;
  }

  private backlogs(): Backlog[] {
    return [...this.hints].map(([ownerUid, { groups, sinceMs }]) => ({
      ...{ ownerUid, node: undefined, records: 1, bytes: 1, points: 1, oldestMs: sinceMs },
      groups: [...groups],
      ...{ state: 'draining' as const, lastError: undefined, bytesPerSecond: 0, deadLetters: 0 },
    }));
  }

  private directory(): NodeDirectory {
    let readBegunMs: number | undefined;
    const read = async () => {
      const begunMs = this.world.clock.monotonicMs();
      const list = await this.world.ask(this, () => this.world.registry());
      if (list === undefined) return false;
      this.list = list;
      readBegunMs = begunMs;
      return true;
    };
    return {
      get readBegunMs() {
        return readBegunMs;
      },
      self: { id: this.id, uid: this.uid },
      node: (id) => this.list.find((each) => each.id === id),
      byUid: (uid) => this.list.find((each) => each.uid === uid),
      all: () => this.list,
      refresh: () => {
        this.reading ??= read().finally(() => {
          this.reading = undefined;
        });
        return this.reading;
      },
      onChange: () => () => undefined,
    };
  }
}

export class BacklogWorld {
  readonly clock = fakeClock();
  readonly nodes: readonly BacklogNode[];
  readonly links = new Map<string, Link>();
  readonly flags = new Map<number, Set<number>>();
  hasManager = true;
  /** Those who can't reach it. */
  readonly cutOff = new Set<number>();
  /** How long an answer of the registry is on its way. */
  registryMs = 0;
  onAsked: () => void = () => undefined;
  boots = 0;
  private readonly beats = new Map<number, number>();

  constructor(count: number) {
    this.nodes = Array.from({ length: count }, (_, at) => new BacklogNode(at + 1, this));
    for (const node of this.nodes) {
      node.list = this.registry();
      node.start();
    }
    void this.beat();
  }

  get three(): [BacklogNode, BacklogNode, BacklogNode] {
    return this.nodes as unknown as [BacklogNode, BacklogNode, BacklogNode];
  }

  link(from: BacklogNode, to: BacklogNode, link: Link): void {
    this.links.set(`${from.uid} ${to.uid}`, link);
  }

  registry(): ClusterNode[] {
    return this.nodes.map(({ id, uid }) => ({
      ...{ id, uid, address: { host: uid, port: 1 }, hostname: uid },
      isAlive: this.clock.monotonicMs() < (this.beats.get(id) ?? 0) + TTL_MS,
      behind: [...(this.flags.get(id) ?? [])],
    }));
  }

  /** Nodes of one set, by their numbers, hear each other, and no one else; `registry`: the set that reaches it, if any. */
  part(sets: readonly number[], registry: number | undefined): void {
    for (const from of this.nodes) {
      if (sets[from.id - 1] === registry) this.cutOff.delete(from.id);
      else this.cutOff.add(from.id);
      for (const to of this.nodes) {
        this.link(from, to, sets[from.id - 1] === sets[to.id - 1] ? 'up' : 'lost');
      }
    }
  }

  /** Nobody hears of it any more, and nothing refuses in its place. */
  vanish(node: BacklogNode): void {
    this.part(
      this.nodes.map((each) => (each === node ? 1 : 0)),
      0,
    );
  }

  reaches({ id }: BacklogNode): boolean {
    return this.hasManager && !this.cutOff.has(id);
  }

  /** What the registry says is as old as the question, what it takes is there with the answer. Undefined: not reached. */
  async ask<T>(node: BacklogNode, what: () => T, when: 'first' | 'last' = 'first') {
    this.onAsked();
    if (!this.reaches(node)) return undefined;
    const early = when === 'first' ? what() : undefined;
    if (this.registryMs > 0) await this.clock.sleep(this.registryMs);
    if (!this.reaches(node)) return undefined;
    return early ?? what();
  }

  async flag(from: BacklogNode, owner: number, holder: number, isSet: boolean): Promise<void> {
    const change = () => {
      const flags = this.flags.get(owner) ?? new Set();
      if (isSet) flags.add(holder);
      else flags.delete(holder);
      this.flags.set(owner, flags);
      return true;
    };
    const isDone = await this.ask(from, change, 'last');
    if (isDone === undefined) throw new AppError('manager-unreachable', 'no manager answers');
  }

  private async beat(): Promise<void> {
    for (;;) {
      for (const node of this.nodes) {
        if (node.run !== undefined && this.reaches(node)) {
          this.beats.set(node.id, this.clock.monotonicMs());
        }
      }
      await this.clock.sleep(BEAT_MS);
    }
  }

  async call(from: BacklogNode, toUid: string, { body, deadlineMs = 0 }: PeerCall) {
    const to = this.nodes.find(({ uid }) => uid === toUid);
    const link = this.links.get(`${from.uid} ${toUid}`) ?? 'up';
    const silence = async (): Promise<never> => {
      await this.clock.sleep(deadlineMs);
      throw new AppError('peer-unreachable', 'no whole answer in time');
    };
    if (link === 'lost') return silence();
    if (to?.run === undefined) {
      const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      throw new AppError('peer-unreachable', 'connection refused', { cause });
    }
    if (link === 'late') {
      void this.clock.sleep(LATE_MS).then(() => this.deliver(to, body));
      return silence();
    }
    if (link === 'slow') await this.clock.sleep(SLOW_MS);
    const answer = await this.deliver(to, body);
    return link === 'no-answer' || from.run === undefined ? silence() : answer;
  }

  /** What the route does. */
  private async deliver({ run }: BacklogNode, body?: Uint8Array): Promise<PeerAnswer> {
    if (run === undefined) throw new AppError('peer-unreachable', 'the connection broke');
    const news = newsSchema.parse(JSON.parse(Buffer.from(body ?? []).toString()));
    await run.words.hear(news);
    const said = {
      ...{ boot: run.words.boot, tick: this.clock.monotonicMs(), epoch: run.gate.epoch },
      stands: run.announcer.stands(news.from, news.untold),
      ready: true,
    };
    return { status: 200, body: Buffer.from(JSON.stringify(said)) };
  }
}
