// Makes planned changes on a running influxd, statement by statement: look, note, run, read back, move the base. Creations
// need no look of their own, and are noted and read back together.
import type { Logger } from '../../shared/log/logger.js';
import { reached } from '../../shared/failpoint/failpoint.js';
import { describeKey } from '../../shared/meta/diff.js';
import type { ObjectKey, SchemaObject } from '../../shared/meta/model.js';
import { keyOf, sameValue } from '../../shared/meta/model.js';
import type { InfluxControl } from '../influxd/port.js';
import { dropsData } from './apply-order.js';
import type { Attempts } from './attempts.js';
import type { BaseRecord, Move } from './base.js';
import type { BaseStore } from './base-store.js';
import { withFields } from './decide.js';
import type { Impossible, LiveStep } from './live-step.js';
import { autogenKey, liveStep } from './live-step.js';
import { moveOfAlter, moveOfCreate, movesOfDrop } from './moves.js';
import type { LocalObserver, LocalState } from './observe.js';
import type { Apply, PlannedPending } from './plan-types.js';
import type { StepTaken } from './port.js';
import type { RemoteState, RemoteView } from './remote-view.js';

export interface LiveDeps {
  readonly control: Pick<InfluxControl, 'execute'>;
  readonly observer: LocalObserver;
  readonly store: BaseStore;
  readonly remoteView: RemoteView;
  readonly attempts: Attempts;
  readonly logger: Logger;
  readonly nowMs: () => number;
  /** As of a LiveContext. */
  readonly passwordOf?: ((user: string, hash: string) => string | undefined) | undefined;
}

export interface LiveResult {
  readonly steps: readonly StepTaken[];
  readonly pending: readonly PlannedPending[];
  /** Something was found other than planned: everything is to be looked at again. */
  readonly hasMoved: boolean;
}

/** So many creations share a note and a read-back: cheap, and what was made is in the base soon enough. */
const CREATES_PER_BATCH = 50;

type Create = Extract<Apply, { kind: 'create' }>;
type Change = Exclude<Apply, Create>;
type Statement = Extract<LiveStep, { kind: 'statement' }>;

export class LiveApplier {
  private readonly steps: StepTaken[] = [];
  private readonly pending: PlannedPending[] = [];
  private hasMoved = false;

  constructor(
    private readonly deps: LiveDeps,
    private local: LocalState,
    private readonly remote: RemoteState,
    private readonly signal: AbortSignal,
  ) {}

  async applyAll(applies: readonly Apply[]): Promise<LiveResult> {
    for (const group of groupCreates(applies)) {
      if (this.hasMoved) break;
      if (group.kind === 'creates') await this.createAll(group.creates);
      else await this.changeOne(group.change);
    }
    return { steps: this.steps, pending: this.pending, hasMoved: this.hasMoved };
  }

  /** Notes a batch, runs it, and reads back once: what is there as it should be is in line. */
  private async createAll(applies: readonly Create[]): Promise<void> {
    const batch: { readonly apply: Create; readonly text: string }[] = [];
    const created: Create[] = [];
    for (const apply of applies) {
      if (created.some(({ key }) => key === apply.key)) continue; // comes with its database
      const step = this.stepFor(apply);
      if (step.kind !== 'statement' || this.isTooSoon(apply.key, step.text)) continue;
      if (apply.target.kind === 'database' && step.firstPolicy === undefined) {
        await this.expectAutogen(apply.key);
      }
      batch.push({ apply, text: step.text });
      created.push(apply);
      if (step.firstPolicy !== undefined) created.push(this.createOf(step.firstPolicy));
    }
    if (batch.length === 0) return;
    const moves = created.map((apply) => moveOfCreate(apply, apply.target));
    await reached('agent.creates.planned');
    await this.deps.store.append([{ record: 'note', note: { kind: 'creates', moves } }]);
    await reached('agent.creates.noted');
    const refused = new Set<ObjectKey>();
    for (const { apply, text } of batch) {
      if (!(await this.run(apply.key, text))) refused.add(apply.key);
      await reached('agent.creates.executed');
    }
    await this.look();
    await reached('agent.creates.read-back');
    await this.settleCreates(created.filter(({ key }) => !refused.has(key)));
  }

  private createOf(policy: SchemaObject): Create {
    const key = keyOf(policy);
    const mark = this.remote.marks.marks.get(key) ?? 0;
    return { kind: 'create', key, target: policy, remote: { object: policy, mark } };
  }

  private async settleCreates(created: readonly Create[]): Promise<void> {
    const moves: Move[] = [];
    for (const apply of created) {
      const found = this.local.schema.get(apply.key);
      if (found !== undefined && isAsCreated(apply.target, found)) {
        moves.push(moveOfCreate(apply, found));
        this.say(apply.key, 'created');
      } else {
        // Gone again, or created otherwise by somebody else: the planner looks at it anew.
        this.hasMoved = true;
      }
    }
    await this.deps.store.append([{ record: 'moves', moves }, { record: 'settled' }]);
  }

  private async changeOne(apply: Change): Promise<void> {
    const step = this.stepFor(apply);
    if (step.kind === 'replace') return this.replace(apply, step);
    if (step.kind === 'statement') return this.change(apply, step);
  }

  /** The statement for a change; what can't be done by one is pending. */
  private stepFor(apply: Apply): LiveStep {
    const step = liveStep(apply, {
      remote: this.remote.schema,
      local: this.local.schema,
      serverVersion: this.deps.observer.serverVersion,
      ...(this.deps.passwordOf && { passwordOf: this.deps.passwordOf }),
    });
    if (step.kind === 'impossible') this.wait(apply.key, step);
    if (step.kind === 'statement' && step.leftOut !== undefined) this.wait(apply.key, step.leftOut);
    return step;
  }

  /** A database without a policy: influxd gives it one that the cluster does not want, and that must not be pushed. */
  private async expectAutogen(database: ObjectKey): Promise<void> {
    const key = autogenKey(database);
    if (this.remote.schema.has(key)) return;
    const object = autogenPolicy(key);
    await this.deps.store.append([{ record: 'moves', moves: [{ key, entry: { local: object } }] }]);
  }

  /** An alteration or a drop: never without a fresh look, never without a note. */
  private async change(apply: Change, step: Statement): Promise<void> {
    if (this.isTooSoon(apply.key, step.text)) return;
    if (!(await this.isStillAsPlanned(apply))) return;
    await reached('agent.change.looked');
    const moves = this.movesOf(apply, step);
    await this.deps.store.append([
      {
        record: 'note',
        note: {
          kind: 'statement',
          key: apply.key,
          before: apply.before,
          after: step.expected,
          moves,
        },
      },
    ]);
    await reached('agent.change.noted');
    if (!(await this.run(apply.key, step.text))) {
      await this.deps.store.append([{ record: 'settled' }]);
      return;
    }
    await reached('agent.change.executed');
    await this.look();
    await reached('agent.change.read-back');
    if (step.isSalted) await this.settleSalted(apply);
    else await this.settle(apply.key, step.expected, moves);
    this.say(apply.key, apply.kind === 'drop' ? 'dropped' : 'altered');
  }

  private movesOf(apply: Change, step: Statement): Move[] {
    if (apply.kind === 'drop') return movesOfDrop(apply, this.deps.store.state.entries);
    return [moveOfAlter(apply, step.fields ?? apply.fields)];
  }

  /** The base takes what the statement was meant to leave; what is found otherwise is somebody's change since. */
  private async settle(
    key: ObjectKey,
    expected: SchemaObject | undefined,
    moves: readonly Move[],
  ): Promise<void> {
    const found = this.local.schema.get(key);
    const records: BaseRecord[] = [{ record: 'moves', moves }, { record: 'settled' }];
    if (!sameValue(found?.value, expected?.value)) {
      this.hasMoved = true;
      this.deps.logger.warn('found another value right after a statement', {
        object: describeKey(key),
      });
    }
    await this.deps.store.append(records);
  }

  /** The same password under another salt: here stands what influxd made of it, there what the cluster has. */
  private async settleSalted(apply: Change): Promise<void> {
    const found = this.local.schema.get(apply.key);
    if (apply.kind !== 'alter' || found?.kind !== 'user') {
      this.hasMoved = true;
      return this.deps.store.append([{ record: 'settled' }]);
    }
    const [remote, local] = [apply.base.remote?.object, apply.base.local];
    const hashOnly = ['hash'];
    const object = remote ? withFields(remote, hashOnly, apply.remote.object) : apply.remote.object;
    const entry = {
      ...apply.base,
      remote: { object, mark: apply.remote.mark },
      local: local ? withFields(local, hashOnly, found) : found,
    };
    await this.deps.store.append([
      { record: 'moves', moves: [{ key: apply.key, entry }] },
      { record: 'settled' },
    ]);
  }

  private async replace(
    apply: Change,
    step: Extract<LiveStep, { kind: 'replace' }>,
  ): Promise<void> {
    if (apply.kind !== 'alter') return;
    if (this.isTooSoon(apply.key, step.create)) return;
    if (!(await this.isStillAsPlanned(apply))) return;
    const halfWay: Move = {
      key: apply.key,
      entry: apply.base.remote && { remote: apply.base.remote },
    };
    await this.deps.store.append([
      {
        record: 'note',
        note: {
          kind: 'statement',
          key: apply.key,
          before: apply.before,
          after: undefined,
          moves: [halfWay],
        },
      },
    ]);
    await reached('agent.replace.noted');
    const isDropped = await this.run(apply.key, step.drop);
    await reached('agent.replace.dropped');
    await this.deps.store.append(
      isDropped
        ? [{ record: 'moves', moves: [halfWay] }, { record: 'settled' }]
        : [{ record: 'settled' }],
    );
    if (!isDropped) return;
    await reached('agent.replace.half-way');
    const { key, target, remote } = apply;
    await this.createAll([{ kind: 'create', key, target, remote }]);
  }

  /** Looks once more; before points are dropped, at the cluster too. */
  private async isStillAsPlanned(apply: Change): Promise<boolean> {
    if (dropsData(apply) && (await this.deps.remoteView.refresh(this.signal))) {
      this.hasMoved = true;
      return false;
    }
    const groups = groupsOf(this.local, apply.before);
    await this.look();
    const now = this.local.schema.get(apply.key);
    const listed = new Set(groupsOf(this.local, apply.before));
    const isSame =
      sameValue(now?.value, apply.before.value) && groups.every((id) => listed.has(id));
    if (!isSame) this.hasMoved = true;
    return isSame;
  }

  private async look(): Promise<void> {
    this.local = await this.deps.observer.observeRunning(this.signal);
  }

  private isTooSoon(key: ObjectKey, text: string): boolean {
    const reason = this.deps.attempts.whyNotNow(key, text);
    if (reason !== undefined) this.wait(key, { reason, remedy: '' });
    return reason !== undefined;
  }

  /** Runs one statement; false where influxd refused it (then it is pending, and tried again later). */
  private async run(key: ObjectKey, text: string): Promise<boolean> {
    if (this.isTooSoon(key, text)) return false;
    const result = await this.deps.control.execute(text, this.signal);
    if (result.kind === 'done') {
      this.deps.attempts.succeed(key);
      return true;
    }
    const reason = `influxd refused it: ${result.text}`;
    this.deps.attempts.refuse(key, text, reason);
    this.wait(key, { reason, remedy: '' });
    return false;
  }

  private wait(key: ObjectKey, { reason, remedy, needsOffline }: Impossible): void {
    this.pending.push({ key, reason, remedy, ...(needsOffline && { needsOffline }) });
  }

  private say(key: ObjectKey, what: string): void {
    this.steps.push({ object: key, direction: 'apply', text: `${describeKey(key)}: ${what} here` });
  }
}

type Group =
  | { readonly kind: 'creates'; readonly creates: readonly Create[] }
  | { readonly kind: 'change'; readonly change: Change };

/** Neighbouring creations in batches, everything else one by one; the order stays. */
function groupCreates(applies: readonly Apply[]): Group[] {
  const groups: Group[] = [];
  let batch: Create[] = [];
  const close = () => {
    if (batch.length > 0) groups.push({ kind: 'creates', creates: batch });
    batch = [];
  };
  for (const apply of applies) {
    if (apply.kind !== 'create' || batch.length >= CREATES_PER_BATCH) close();
    if (apply.kind === 'create') batch.push(apply);
    else groups.push({ kind: 'change', change: apply });
  }
  close();
  return groups;
}

/** influxd may print a query, or list a default, in its own way; a policy or a grant must be exactly as asked. */
export function isAsCreated(target: SchemaObject, found: SchemaObject): boolean {
  if (target.kind === 'policy' || target.kind === 'privilege') {
    return sameValue(target.value, found.value);
  }
  return true;
}

function groupsOf(local: LocalState, object: SchemaObject): string[] {
  if (object.kind !== 'database' && object.kind !== 'policy') return [];
  const [database, policy] = object.path;
  return local.lineage.groups
    .filter(
      (group) => group.database === database && (policy === undefined || group.policy === policy),
    )
    .map(({ id }) => id);
}

/** As influxd makes it: for ever, shard groups of a week, one replica. */
function autogenPolicy(key: ObjectKey): SchemaObject {
  const [, database = '', policy = ''] = JSON.parse(key) as string[];
  return {
    kind: 'policy',
    path: [database, policy],
    value: {
      durationNs: 0n,
      shardDurationNs: 604_800_000_000_000n,
      replication: 1,
      futureLimitNs: 0n,
      pastLimitNs: 0n,
    },
  };
}
