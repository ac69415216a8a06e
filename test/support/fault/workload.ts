// Users who change metadata all the while, on every node at once, by InfluxQL on the real influxd, and who remember what was
// acknowledged. Each has objects of its own; all of them alter the contested ones.
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../eventually.js';
import type { ClusterNode } from '../cluster-node.js';
import { runStatement, writePoint, type Answer } from './influx-client.js';
import { keysOf, Unit, type Statement } from './model.js';
import type { Random } from './random.js';
import { defaultOf, EVERYWHERE_USER, nextStatement, policyKey } from './statements.js';
import { Requests } from './version-line.js';

/** The database that all writers alter. */
export const CONTESTED = 'contested';
const CONTESTED_POLICIES = ['x', 'y', 'z'];

/**
 * Databases that nobody touches, one after the other made by node 1. Without them a few drops would be half of all there is,
 * and the guard would, rightly, hold them for a person.
 */
const IDLE = 200;

/** For one writer: enough for variety, few enough that a version stays small. */
const DATABASES = 5;
const USERS = 1;

/** Between two statements of one writer, at most; each statement costs every node of the cluster work. */
const LONGEST_PAUSE_MS = 160;

/** Of a writer's statements. */
const SHARE_OF_CONTESTED = 0.1;
const SHARE_OF_USERS = 0.05;
const SHARE_WITH_POINT = 0.5;
const SHARE_WITH_OTHERS_POINT = 0.3;

/** A statement that an influxd answered, with the wall clock's times in ms. */
export interface Acknowledged {
  readonly writer: number;
  readonly text: string;
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
}

export class Workload {
  readonly units: Unit[] = [];
  readonly asked = new Requests();
  readonly acknowledged: Acknowledged[] = [];
  /** Statements on a writer's own objects that influxd refused: somebody else must have changed them. */
  readonly surprises: string[] = [];
  /** Refusals that the fault of the moment explains, and that changed nothing; none where undefined. */
  tolerated: RegExp | undefined;
  private writing: Promise<unknown> | undefined;
  private stopping = new AbortController();
  private nextNumber = 0;
  private nextPoint = 0;

  constructor(
    private readonly nodes: readonly ClusterNode[],
    private readonly random: Random,
    private readonly options: { readonly idle?: number } = {},
  ) {}

  /** What must be there before the first statement: to be called once, before any fault. */
  async prepare(): Promise<void> {
    const [first] = this.nodes;
    await first!.influxd.query(`CREATE DATABASE "${CONTESTED}"`);
    for (const policy of CONTESTED_POLICIES) {
      await first!.influxd.query(
        `CREATE RETENTION POLICY "${policy}" ON "${CONTESTED}" DURATION 300h REPLICATION 1`,
      );
    }
    const idle = Array.from({ length: this.options.idle ?? IDLE }, (_, i) => `idle ${i}`);
    await first!.influxd.query(
      idle
        .flatMap((name) => [
          `CREATE DATABASE "${name}"`,
          `CREATE RETENTION POLICY "other" ON "${name}" DURATION 300h REPLICATION 1`,
        ])
        .join(';'),
    );
    await Promise.all(
      this.nodes.map(({ influxd }) =>
        influxd.query(`CREATE USER "${EVERYWHERE_USER}" WITH PASSWORD 'everywhere'`),
      ),
    );
  }

  start(): void {
    if (this.writing !== undefined) throw new Error('the workload runs already');
    this.stopping = new AbortController();
    const writers = this.nodes.map((_, writer) =>
      this.writeUntilStopped(writer, this.random.fork(`writer ${writer} ${this.nextNumber}`)),
    );
    this.writing = Promise.all(writers);
  }

  /** Resolves when no statement is under way any more. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.writing;
    this.writing = undefined;
  }

  /** Waits until `count` more statements were answered: the load really is on. */
  async untilMore(count: number, withinMs = 20_000): Promise<void> {
    const enough = this.acknowledged.length + count;
    await eventually(() => this.acknowledged.length >= enough, {
      withinMs,
      what: `${count} more statements`,
    });
  }

  private async writeUntilStopped(writer: number, random: Random): Promise<void> {
    const { signal } = this.stopping;
    for (;;) {
      // Being stopped is the only reason for which the pause may end early.
      await delay(random.below(LONGEST_PAUSE_MS), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      if (random.chance(SHARE_OF_CONTESTED)) await this.alterContested(writer, random);
      else await this.changeOwn(writer, random);
    }
  }

  private async changeOwn(writer: number, random: Random): Promise<void> {
    const unit = this.pickUnit(writer, random);
    const { state } = unit;
    if (state === undefined) return;
    const statement = nextStatement(unit, state, random);
    if (statement === undefined) return;
    const { created, dropped } = keysOf(state, statement.after);
    // Before it is sent: a version may show it before the answer is here.
    this.asked.note('created', created);
    this.asked.note('dropped', dropped);
    unit.forgetPointsIn(dropped);
    const answer = await this.run(writer, statement.text);
    this.settle(unit, statement, answer);
    if (random.chance(SHARE_WITH_POINT)) await this.addPoint(unit, writer);
    const other = random.pick(this.units);
    if (random.chance(SHARE_WITH_OTHERS_POINT)) await this.addPoint(other, writer);
  }

  private settle(unit: Unit, statement: Statement, answer: Answer): void {
    switch (answer.kind) {
      case 'done':
        unit.done(statement);
        return;
      case 'unknown':
        unit.unanswered(statement);
        return;
      case 'not-sent':
        return;
      case 'refused':
        if (this.tolerated?.test(answer.text) === true) {
          // influxd drops these in a list that the metadata before shares: refused, and yet gone from its memory.
          if (/^DROP (SUBSCRIPTION|CONTINUOUS)/.test(statement.text)) unit.unanswered(statement);
          return;
        }
        this.surprises.push(
          `on node ${unit.writer + 1} ${statement.text} was refused: ${answer.text}`,
        );
        // The writer no longer knows what is there; the comparison with what it last knew says the rest.
        unit.allowed = [...unit.allowed, ...unit.allowed];
    }
  }

  /**
   * On any node, in anybody's database. A policy that has been dropped before takes no points: on another node the old one
   * may still stand under its name, and a point in that one goes with it.
   */
  private async addPoint(unit: Unit, node: number): Promise<void> {
    const policy = unit.state === undefined ? undefined : defaultOf(unit, unit.state);
    if (policy === undefined || unit.points.has(node)) return;
    const key = policyKey(unit, policy);
    const mayBeDropped = () => this.asked.count('dropped', key) > 0;
    if (mayBeDropped()) return;
    this.nextPoint += 1;
    const serial = this.nextPoint;
    const { influxd } = this.nodes[node]!;
    const answer = await writePoint(influxd, { database: unit.name, policy, v: serial });
    // Refused where the database has not arrived there yet.
    if (answer.kind !== 'done' || mayBeDropped()) return;
    unit.points.set(node, { policy, policyKey: key, serial });
  }

  private async alterContested(writer: number, random: Random): Promise<void> {
    const policy = random.pick(CONTESTED_POLICIES);
    const hours = random.between(200, 2_000);
    const on = `ALTER RETENTION POLICY "${policy}" ON "${CONTESTED}"`;
    await this.run(writer, `${on} ${random.chance(0.2) ? 'DEFAULT' : `DURATION ${hours}h`}`);
  }

  private async run(writer: number, text: string): Promise<Answer> {
    const sentAtMs = Date.now();
    const answer = await runStatement(this.nodes[writer]!.influxd, text);
    if (answer.kind === 'done') {
      this.acknowledged.push({ writer, text, sentAtMs, answeredAtMs: Date.now() });
    }
    return answer;
  }

  private pickUnit(writer: number, random: Random): Unit {
    const kind = random.chance(SHARE_OF_USERS) ? 'user' : 'database';
    const own = this.units.filter(
      (unit) => unit.writer === writer && unit.kind === kind && unit.state !== undefined,
    );
    if (own.length >= (kind === 'user' ? USERS : DATABASES)) return random.pick(own);
    this.nextNumber += 1;
    const unit = new Unit(
      `${kind === 'user' ? 'u' : 'w'}${writer}.${this.nextNumber}`,
      kind,
      writer,
    );
    this.units.push(unit);
    return unit;
  }
}
