// What the reconciler needs of the local influxd: its metadata, the shards that it has loaded, and statements.
import type { Data } from '../../shared/meta/gen/meta_pb.js';

/** What stands at `<meta-dir>/meta.db`. */
export type MetaFile =
  | { readonly kind: 'found'; readonly data: Data; readonly bytes: Buffer }
  | { readonly kind: 'missing' }
  /** Empty, truncated, foreign, unreadable: never taken for a schema. `reason` is one sentence. */
  | { readonly kind: 'invalid'; readonly reason: string };

/** A shard that influxd has open, whatever its metadata says (from SHOW STATS FOR 'shard'). */
export interface LoadedShard {
  readonly id: bigint;
  /** As the shard's directory has them, which is not always what the metadata has. */
  readonly database: string;
  readonly policy: string;
  /** On disk, as influxd last counted it. */
  readonly bytes?: number;
}

/** influxd's answer to one statement. `refused` carries its error text unchanged. */
export type StatementResult =
  { readonly kind: 'done' } | { readonly kind: 'refused'; readonly text: string };

export interface InfluxdIdentity {
  /** As in X-Influxdb-Version, e.g. `1.6.7~rc0`; `unknown` where the header is absent. */
  readonly version: string;
}

/** Throws AppError `influxd-unreachable` (retryable; a statement's outcome is then unknown), or `unauthorized`. */
export interface InfluxControl {
  /** Version, or undefined where nothing answers on its HTTP port. */
  ping(signal?: AbortSignal): Promise<InfluxdIdentity | undefined>;
  /** The metadata in influxd's memory, by the metadata request on port 8088; shared between calls: look, don't write. */
  readMemory(signal?: AbortSignal): Promise<Data>;
  readFile(signal?: AbortSignal): Promise<MetaFile>;
  loadedShards(signal?: AbortSignal): Promise<LoadedShard[]>;
  /** The name of the monitoring database in SHOW DIAGNOSTICS (`_internal` by default). */
  internalDatabase(signal?: AbortSignal): Promise<string>;
  /** Runs exactly one statement by POST /query, and reads the whole body before it answers. */
  execute(statement: string, signal?: AbortSignal): Promise<StatementResult>;
  close(): Promise<void>;
}
