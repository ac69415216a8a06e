// What the agent needs of the managers' registry: register, heartbeat, deregister, with expected outcomes as values.
import type { HeldList, Orders } from '../../shared/api/orders.js';

/** The running influxd, so that two agents beside one are noticed. 64-bit numbers are decimal text. */
export interface InfluxdFacts {
  readonly clusterId: string;
  readonly term: string;
  readonly index: string;
  /** influxd's own start time, as its diagnostics give it. */
  readonly started: string;
}

export interface Registration {
  readonly hostname: string;
  readonly ips: readonly string[];
  /** The advertised peer address, host:port; undefined: as registered before. */
  readonly bindAddress: string | undefined;
  readonly uid: string;
  readonly session: string;
  /** The last session that a manager confirmed; undefined before the first. */
  readonly previousSession: string | undefined;
  /** Sessions noted since, this one included. */
  readonly candidates: readonly string[];
  /** Undefined: as registered before. */
  readonly versions: Readonly<Record<string, string>> | undefined;
  readonly influxd: InfluxdFacts | undefined;
}

/** Another process, a copied directory or a person's work stands against it: it is not tried again unchanged. */
export interface Refusal {
  readonly kind: 'refused';
  /** `state-not-current`, `session-superseded`, `influxd-in-use`, or another code of the API. */
  readonly code: string;
  /** One sentence. */
  readonly detail: string;
}

export interface Registered {
  readonly kind: 'registered';
  readonly id: number;
  readonly ttlMs: number;
  readonly heartbeatIntervalMs: number;
  /** The cluster's newest metadata version, 0 for none, and its incarnation ('' for none). */
  readonly version: number;
  readonly incarnation: string;
  /** What people ordered; undefined from an older manager, which knows no orders. */
  readonly orders: Orders | undefined;
}

export interface Heartbeat {
  readonly uid: string;
  readonly session: string;
  /** The metadata version that is applied. */
  readonly version: number;
  /** One word, e.g. `in-step`. */
  readonly state: string;
  readonly influxd: InfluxdFacts | undefined;
  /** How many differences can't be applied now. */
  readonly pending: number;
  /** What waits for a person; undefined where nothing does. */
  readonly held: HeldList | undefined;
  /** Held on disk for other nodes, which could not take them; undefined from a command, which does not know. */
  readonly hints: readonly HeldHints[] | undefined;
}

/** What is kept for one node. */
export interface HeldHints {
  /** Node id. */
  readonly owner: number;
  readonly bytes: number;
}

export interface Refreshed {
  readonly kind: 'refreshed';
  readonly ttlMs: number;
  readonly version: number;
  readonly incarnation: string;
  readonly orders: Orders | undefined;
  /** Of the cluster's placement; 0: none. */
  readonly placementVersion: number;
  /** Another one: nodes came, went or moved. */
  readonly registryRevision: number;
}

/** Throws as ManagerApi does: `manager-unreachable`, `manager-invalid`, `aborted`, `unauthorized`, `forbidden`. */
export interface MembershipApi {
  register(
    cluster: string,
    registration: Registration,
    signal?: AbortSignal,
  ): Promise<Registered | Refusal>;
  refresh(
    cluster: string,
    nodeId: number,
    heartbeat: Heartbeat,
    signal?: AbortSignal,
  ): Promise<Refreshed | { readonly kind: 'unknown-node' } | Refusal>;
  /** `done` also where the node was not there. */
  deregister(
    cluster: string,
    nodeId: number,
    signal?: AbortSignal,
  ): Promise<{ readonly kind: 'done' } | Refusal>;
}
