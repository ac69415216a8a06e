// The cluster's metadata as the data plane needs it: databases, policies, users by name, as this agent last heard of them.
// Read-only, in memory, and there also while no manager answers (from the base on disk).

export interface PolicyInfo {
  readonly name: string;
  /** 0: for ever. */
  readonly durationNs: bigint;
  readonly shardDurationNs: bigint;
  readonly replication: number;
  readonly mark: number;
}

export interface DatabaseInfo {
  readonly name: string;
  /** May be '' or name a policy that is gone. */
  readonly defaultPolicy: string;
  readonly mark: number;
  readonly policies: ReadonlyMap<string, PolicyInfo>;
}

export type Privilege = 'READ' | 'WRITE' | 'ALL';

export interface UserInfo {
  readonly name: string;
  /** bcrypt, `$2a$10$...`. */
  readonly hash: string;
  readonly isAdmin: boolean;
  readonly privileges: ReadonlyMap<string, Privilege>;
}

/** One version. Immutable: whoever works on one request takes it once. */
export interface Metadata {
  readonly version: number;
  readonly databases: ReadonlyMap<string, DatabaseInfo>;
  readonly users: ReadonlyMap<string, UserInfo>;
}

export interface MetadataView {
  readonly current: Metadata;
  /** False before this node has ever heard of its cluster: then nobody can be told that a database does not exist. */
  readonly isKnown?: boolean;
  /** Asks the managers for the newest version, for what is not known here (at most 2 s). False where none answered. */
  refresh?(signal: AbortSignal): Promise<boolean>;
  /** Has at least that version, asking for it where needed (at most 2 s). False where it could not be had. */
  reach(version: number, signal: AbortSignal): Promise<boolean>;
}

/** What a statement that changes metadata, or deletes points, ended in. */
export interface StatementOutcome {
  /** influxd's error text; undefined: done. */
  readonly error?: string;
  /** How many live nodes have it, of how many. */
  readonly propagated: { readonly reached: number; readonly live: number };
}

export interface StatementRunner {
  /**
   * Runs one statement that changes metadata on the local influxd, under the reconciler's lock, and brings it to the other
   * nodes: resolves when all live nodes have it, or after 5 s. `password`: the plain text in it, which travels sealed.
   * Throws AppError `influxd-unreachable`, or what keeps it from being run here.
   */
  run(
    statement: string,
    options: {
      readonly database?: string | undefined;
      readonly password?: { readonly user: string; readonly text: string } | undefined;
    },
    signal: AbortSignal,
  ): Promise<StatementOutcome>;
  /**
   * Numbers a DELETE, DROP SERIES or DROP MEASUREMENT (now() resolved, times absolute) in the cluster and runs it on every
   * live node. Throws AppError `manager-unreachable` (503) where it can't be numbered; then nothing was deleted.
   */
  delete(database: string, statement: string, signal: AbortSignal): Promise<StatementOutcome>;
}
