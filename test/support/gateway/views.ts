// Metadata and placement in memory, as the data plane sees them: databases that a test names, and groups that are made when
// they are asked for, by the same rule as the managers'.
import type { DatabaseInfo, Metadata, MetadataView } from '../../../agent/gateway/metadata/port.js';
import { PlacementIndex } from '../../../agent/gateway/placement/placement-index.js';
import type { GroupWanted, PlacementView } from '../../../agent/gateway/placement/port.js';
import { AppError } from '../../../shared/errors/app-error.js';
import { groupBounds } from '../../../shared/influx/group-time.js';
import type { PlacedGroup, Placement } from '../../../shared/placement/model.js';
import { NO_PLACEMENT } from '../../../shared/placement/model.js';

export interface TestPolicy {
  readonly name: string;
  readonly durationNs?: bigint;
  readonly shardDurationNs?: bigint;
}

const DAY_NS = 86_400_000_000_000n;

export class TestMetadata implements MetadataView {
  current: Metadata = { version: 1, databases: new Map(), users: new Map() };
  /** What the managers know and this agent does not yet: comes with the next refresh. */
  next: Metadata | undefined;
  isKnown = true;
  refreshes = 0;

  async reach(version: number): Promise<boolean> {
    this.take();
    return this.current.version >= version;
  }

  async refresh(): Promise<boolean> {
    this.refreshes += 1;
    this.take();
    return true;
  }

  /** The first policy is the default. */
  add(name: string, policies: readonly TestPolicy[] = [{ name: 'autogen' }], mark = 1): void {
    const info: DatabaseInfo = {
      name,
      defaultPolicy: policies[0]?.name ?? '',
      mark,
      policies: new Map(
        policies.map((policy) => [
          policy.name,
          { durationNs: 0n, shardDurationNs: 7n * DAY_NS, replication: 1, mark, ...policy },
        ]),
      ),
    };
    const databases = new Map(this.current.databases).set(name, info);
    this.current = { ...this.current, version: this.current.version + 1, databases };
  }

  private take(): void {
    if (this.next !== undefined) this.current = this.next;
    this.next = undefined;
  }
}

export class TestPlacement implements PlacementView {
  current: Placement = { ...NO_PLACEMENT, version: 1 };
  readonly asked: (readonly GroupWanted[])[] = [];
  readonly marked: {
    readonly node: number;
    readonly groups: readonly number[];
    readonly why: string;
  }[] = [];
  /** No manager answers. */
  isCutOff = false;
  private nextId = 1;

  /** @param owners of each group's shards: `[[1, 2], [3, 4]]` are two shards with two owners each. */
  constructor(
    private readonly metadata: TestMetadata,
    private readonly owners: readonly (readonly number[])[],
  ) {}

  writable(database: string, policy: string, timeNs: bigint): PlacedGroup | undefined {
    return this.index.writable(this.metadata.current, database, policy, timeNs);
  }

  covering(database: string, policy: string, fromNs: bigint, toNs: bigint) {
    return this.index.covering(this.metadata.current, database, policy, fromNs, toNs);
  }

  ofDatabase(database: string) {
    return this.index.ofDatabase(this.metadata.current, database);
  }

  async ensure(wanted: readonly GroupWanted[]): Promise<void> {
    this.asked.push(wanted);
    if (this.isCutOff) {
      throw new AppError('no-group', 'no manager answered', { status: 503, retryable: true });
    }
    const groups = wanted.map((each) => this.make(each));
    this.current = {
      ...this.current,
      version: this.current.version + 1,
      groups: [...this.current.groups, ...groups],
    };
  }

  async reach(version: number): Promise<boolean> {
    return this.current.version >= version;
  }

  async markIncomplete(node: number, groups: readonly number[], why: string): Promise<void> {
    if (this.isCutOff) throw new AppError('manager-unreachable', 'no manager answered');
    this.marked.push({ node, groups, why });
  }

  onChange(): () => void {
    return () => undefined;
  }

  private get index(): PlacementIndex {
    return new PlacementIndex(this.current);
  }

  private make({ database, policy, timeNs }: GroupWanted): PlacedGroup {
    const info = this.metadata.current.databases.get(database);
    const found = info?.policies.get(policy);
    if (info === undefined || found === undefined) throw new Error(`no ${database}.${policy}`);
    return {
      id: this.nextId++,
      database,
      policy,
      databaseMark: info.mark,
      policyMark: found.mark,
      ...groupBounds(timeNs, found.shardDurationNs),
      shards: this.owners.map((nodes) => ({
        id: this.nextId++,
        owners: nodes.map((node) => ({ node })),
      })),
    };
  }
}
