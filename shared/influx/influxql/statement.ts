// One InfluxQL statement as far as a gateway has to understand it: what kind it is, which data it touches, who may run it.
// What it does beyond that is influxd's business, and its text goes there unchanged.

/** A measurement in a FROM clause; regex sources name no measurement. */
export interface Source {
  /** '' : the request's database. */
  readonly database: string;
  /** '' : the database's default policy. */
  readonly policy: string;
  readonly measurement: string | undefined;
  /** The pattern between the slashes. */
  readonly regex: string | undefined;
}

/** Nanoseconds since 1970, both ends inclusive; undefined: open. Never narrower than what the statement reads. */
export interface TimeBounds {
  readonly fromNs: bigint | undefined;
  readonly toNs: bigint | undefined;
}

/** What one needs to be allowed to run it: as influxd's RequiredPrivileges. */
export interface RequiredPrivilege {
  readonly isAdmin: boolean;
  /** '' : the request's database. */
  readonly database: string;
  readonly level: 'none' | 'READ' | 'WRITE' | 'ALL';
}

interface Common {
  /** The statement's own text, comments and all, without the semicolon. */
  readonly text: string;
  readonly privileges: readonly RequiredPrivilege[];
}

export type Statement =
  /** SELECT without INTO. */
  | (Common & {
      readonly kind: 'select';
      readonly sources: readonly Source[];
      readonly bounds: TimeBounds;
    })
  /** SELECT ... INTO. `select` is the statement without the INTO clause. */
  | (Common & {
      readonly kind: 'into';
      readonly sources: readonly Source[];
      readonly bounds: TimeBounds;
      readonly select: string;
      /** `measurement` undefined: `:MEASUREMENT`, the name of each source. */
      readonly target: Source;
      /** Has GROUP BY time(...). */
      readonly isGroupedByTime: boolean;
    })
  | (Common & {
      readonly kind: 'explain';
      readonly isAnalyze: boolean;
      readonly sources: readonly Source[];
      readonly bounds: TimeBounds;
    })
  /** Reads series, tags, fields, cardinalities of a database. */
  | (Common & {
      readonly kind: 'show-data';
      /** e.g. `tag-values`, `measurements`, `series-cardinality`. */
      readonly what: string;
      /** '' : the request's database. */
      readonly database: string;
      readonly sources: readonly Source[];
      readonly bounds: TimeBounds;
    })
  /** Reads metadata: databases, retention policies, users, grants, continuous queries, subscriptions, shards, shard groups. */
  | (Common & { readonly kind: 'show-metadata'; readonly what: string; readonly database: string })
  /** Of one server: stats, diagnostics, queries. */
  | (Common & { readonly kind: 'show-server'; readonly what: string })
  /** Changes databases, policies, continuous queries, subscriptions, grants. `database`: '' where it names none. */
  | (Common & { readonly kind: 'metadata'; readonly what: string; readonly database: string })
  /** CREATE USER, SET PASSWORD (with `password`), DROP USER. */
  | (Common & {
      readonly kind: 'user';
      readonly what: 'create' | 'set-password' | 'drop';
      readonly user: string;
      readonly password?: string;
      readonly isAdmin: boolean;
    })
  /** DELETE, DROP SERIES, DROP MEASUREMENT: on all policies of the request's database. */
  | (Common & {
      readonly kind: 'delete';
      readonly what: 'delete' | 'drop-series' | 'drop-measurement';
      readonly database: string;
    })
  | (Common & { readonly kind: 'drop-shard'; readonly shard: bigint })
  | (Common & { readonly kind: 'kill'; readonly query: bigint; readonly host: string });

export type ParsedQuery =
  | { readonly kind: 'parsed'; readonly statements: readonly Statement[] }
  /** influxd refuses it too, and says so in its own words: the text goes to it whole. */
  | {
      readonly kind: 'unparsable';
      readonly why: string;
      /** A limit of ours (NUL, nesting): influxd might have run it, on one node alone. Answer 400, and send it nowhere. */
      readonly isOurLimit?: boolean;
    };
