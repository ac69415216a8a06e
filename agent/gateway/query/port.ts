// What the query path takes from other parts, and the values that its own parts hand to each other. It knows nothing of HTTP
// servers and of how a read reaches an owner.
import type { Registry } from 'prom-client';
import type { Logger } from '../../../shared/log/logger.js';
import type { GatewayAuth } from '../auth/port.js';
import type { MetadataView, StatementRunner } from '../metadata/port.js';
import type { Reader } from '../owner/port.js';
import type { NodeDirectory, PlacementView } from '../placement/port.js';

/** Writes points that a SELECT INTO made, as the gateway's write path writes those of a client. */
export interface PointWriter {
  /**
   * `body`: line protocol with nanosecond times. Resolves when the default level is reached. Throws AppError where the points
   * can't be written, with influxd's own words where influxd would have refused them. Never creates a database.
   */
  write(database: string, policy: string, body: Buffer, signal: AbortSignal): Promise<void>;
}

export interface QueryDeps {
  readonly auth: GatewayAuth;
  readonly reader: Reader;
  readonly placement: PlacementView;
  readonly directory: NodeDirectory;
  readonly metadata: MetadataView;
  readonly runner: StatementRunner;
  readonly points: PointWriter;
  readonly logger: Logger;
  readonly registry: Registry;
}

/** How the answer is written: influxd's three formats and two ways. */
export interface AnswerForm {
  readonly format: 'json' | 'csv' | 'msgpack';
  readonly isPretty: boolean;
  readonly isChunked: boolean;
  /** As the client gave it; undefined: RFC 3339. */
  readonly epoch: string | undefined;
}

/** One request as its parameters say, before anything is understood of the query. */
export interface QueryRequest {
  readonly text: string;
  /** '' : none named. */
  readonly database: string;
  readonly policy: string;
  readonly chunkSize: number | undefined;
  /** JSON text of bound parameters; undefined: none. */
  readonly params: string | undefined;
  readonly isAsync: boolean;
  /** GET: statements that change something are run, with a warning. */
  readonly isReadOnly: boolean;
  readonly allowsPartial: boolean;
  readonly accept: string | undefined;
  readonly form: AnswerForm;
}

/** Why a statement is not answered; nothing of it was run. */
export interface Refusal {
  readonly kind: 'refused';
  readonly status: number;
  readonly code: string;
  /** One sentence, or influxd's own words. */
  readonly error: string;
  readonly isSafeToRetry: boolean;
  readonly retryAfterSeconds?: number | undefined;
}

/** As influxd names them. */
export const CONTENT_TYPES = {
  json: 'application/json',
  csv: 'text/csv',
  msgpack: 'application/x-msgpack',
} as const;
