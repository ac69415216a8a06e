// What the query path counts: statements by class and outcome, and how long a client waits for the first byte.
import { Counter, Histogram, type Registry } from 'prom-client';

export type QueryOutcome = 'ok' | 'error' | 'refused' | 'broken' | 'gone';

export interface QueryMetrics {
  /** `kind`: of the statement, or `none` for a request that came to no statement. */
  note(kind: string, outcome: QueryOutcome): void;
  noteFirstByte(ms: number): void;
}

/** From a lookup that is answered from memory to a report over months. */
const FIRST_BYTE_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10, 60];

export function createQueryMetrics(registry: Registry): QueryMetrics {
  const registers = [registry];
  const statements = new Counter({
    name: 'clusterflux_gateway_statements_total',
    help: 'Statements by their class, and what became of them.',
    labelNames: ['class', 'outcome'],
    registers,
  });
  const firstByte = new Histogram({
    name: 'clusterflux_gateway_query_first_byte_seconds',
    help: 'Time from a query to the first byte of its answer.',
    buckets: FIRST_BYTE_BUCKETS_SECONDS,
    registers,
  });
  return {
    note(kind, outcome) {
      statements.inc({ class: kind, outcome });
    },
    noteFirstByte(ms) {
      firstByte.observe(ms / 1000);
    },
  };
}
