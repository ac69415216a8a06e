// What the parts of the query path hand to each other of one request: what does not change while it is worked on, and what
// became of a statement.
import type { GatewayCaller } from '../auth/port.js';
import type { Metadata } from '../metadata/port.js';
import type { ReadQuery } from '../owner/port.js';
import type { OpenedRead } from './open-read.js';
import type { QueryRequest, Refusal } from './port.js';
import type { StatementResult } from './results.js';

export interface Propagated {
  readonly reached: number;
  readonly live: number;
}

export type Outcome =
  /** The answer of an owner, to be passed on. */
  | OpenedRead
  | {
      readonly kind: 'result';
      readonly result: StatementResult;
      readonly node: number | undefined;
      readonly missing: string;
      readonly propagated?: Propagated | undefined;
    }
  | Refusal;

/** What does not change while one request is worked on. */
export interface Work {
  readonly request: QueryRequest;
  readonly caller: GatewayCaller;
  readonly metadata: Metadata;
  /** Values of bound parameters, by name. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
}

export function asPost(work: Work): Work {
  return { ...work, request: { ...work.request, isReadOnly: false } };
}

export type ReadOptions = Omit<
  ReadQuery,
  'groups' | 'placementVersion' | 'metadataVersion' | 'deletes'
>;

/** What the client said of the answer, for a statement that is passed on as it is. */
export function readOf(request: QueryRequest): ReadOptions {
  const { form } = request;
  return {
    statement: request.text,
    database: request.database || undefined,
    policy: request.policy || undefined,
    epoch: form.epoch,
    chunked: form.isChunked,
    chunkSize: request.chunkSize,
    pretty: form.isPretty,
    accept: request.accept,
    params: request.params,
  };
}
