// The configuration as the programs see it: camelCase, units in the names, nothing left to parse. The file's keys, their
// defaults and their documentation are in schema.ts; reading is in load.ts. Conversion happens nowhere else.
import type { LogFormat, LogLevel } from '../log/logger.js';
import type { Address } from './address.js';

export interface Config {
  readonly manager: ManagerConfig;
  readonly etcd: EtcdConfig;
  readonly agent: AgentConfig;
  readonly influxdb: InfluxdbConfig;
  readonly gateway: GatewayConfig;
  readonly placement: PlacementConfig;
  readonly handoff: HandoffConfig;
  readonly guard: { readonly maxDrops: number };
  /** Globs of database names; include is ['*'] by default. */
  readonly sync: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
}

export interface ManagerConfig {
  readonly bindAddress: Address;
  /** Undefined: derived with `advertisedAddress` (address.ts) once the port is bound. */
  readonly advertiseAddress: Address | undefined;
  readonly store: 'embedded' | 'etcd';
  readonly dataDir: string;
  /** Versions kept per cluster. */
  readonly history: number;
  readonly longPollMs: number;
  readonly maxSnapshotBytes: number;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly clientCaFile: string | undefined;
  readonly tokenFile: string | undefined;
  readonly insecure: boolean;
  readonly drainDelayMs: number;
  readonly maxWaiters: number;
  /** Kept per cluster. */
  readonly maxEvents: number;
  readonly maxConnections: number;
  readonly maxJsonBytes: number;
  readonly maxHeaderBytes: number;
  readonly requestTimeoutMs: number;
  /** Per remote address and minute. */
  readonly maxAuthFailures: number;
}

export interface EtcdConfig {
  readonly endpoints: readonly string[];
  /** Starts with a slash and does not end with one. */
  readonly prefix: string;
  readonly ttlMs: number;
  /** Bytes that etcd takes at most, for warnings. */
  readonly quotaBytes: number;
  readonly username: string | undefined;
  readonly passwordFile: string | undefined;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

export interface AgentConfig {
  readonly cluster: string;
  readonly endpoints: readonly string[];
  readonly stateDir: string;
  readonly bindAddress: Address;
  readonly advertiseAddress: Address | undefined;
  readonly heartbeatIntervalMs: number;
  readonly resyncIntervalMs: number;
  readonly join: 'merge' | 'pull' | 'refuse';
  readonly deregisterOnStop: boolean;
  readonly secretFile: string | undefined;
  /** To the peer and status endpoint. */
  readonly maxConnections: number;
  /** Of the peer endpoint, per remote address and minute. */
  readonly maxAuthFailures: number;
  readonly insecure: boolean;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly tokenFile: string | undefined;
  readonly longPollMs: number;
  readonly readyTimeoutMs: number;
}

export interface InfluxdbConfig {
  readonly url: string;
  readonly username: string | undefined;
  readonly passwordFile: string | undefined;
  readonly metaDir: string;
  /** influxd's backup port. */
  readonly snapshotAddress: Address;
  readonly restart: 'off' | 'command' | 'signal';
  /** Run by `sh -c` where restart is `command`. */
  readonly stopCommand: string | undefined;
  readonly startCommand: string | undefined;
  /** The least time between two restarts. */
  readonly restartIntervalMs: number;
  readonly caFile: string | undefined;
  readonly jwtSecretFile: string | undefined;
  /** Undefined: `data` beside the meta directory. */
  readonly dataDir: string | undefined;
  /** Undefined: the directory is watched; else it is read every so often (network file systems). */
  readonly metaPollMs: number | undefined;
}

export interface GatewayConfig {
  readonly enabled: boolean;
  readonly bindAddress: Address;
  readonly insecure: boolean;
  readonly auth: 'auto' | 'on' | 'off';
  /** Unknown passwords per user, address and minute. */
  readonly maxAuthFailures: number;
  /** Of one write, as it comes. */
  readonly maxBodyBytes: number;
  /** Of all writes under way. */
  readonly maxBytesInFlight: number;
  readonly maxWrites: number;
  readonly maxConnections: number;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

export interface PlacementConfig {
  readonly minReplication: number;
  readonly initialNodes: number;
  readonly outAfterMs: number;
  readonly cutLeadMs: number;
}

export interface HandoffConfig {
  readonly hintAfterMs: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** With fewer free bytes nothing is kept. */
  readonly minFreeBytes: number;
  readonly retryIntervalMs: number;
  readonly retryMaxIntervalMs: number;
  readonly catchUpTimeoutMs: number;
  /** Bytes per second and owner; 0 for no limit. */
  readonly retryRateLimitBytes: number;
}
