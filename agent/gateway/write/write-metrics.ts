// Metrics of the write path, `clusterflux_gateway_*`. They count what they are told, and read what is in flight when scraped.
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { ApplyOutcome } from '../owner/port.js';
import type { Admission } from './admission.js';

export interface WriteMetrics {
  /** `outcome`: `written`, or the stable code of the refusal. */
  noteWrite(outcome: string, level: string, points: number, ms: number): void;
  /** One direct request to an owner. */
  noteSent(node: number, outcome: ApplyOutcome['kind'], ms: number): void;
  noteHint(node: number, isKept: boolean): void;
}

/** From a small batch on an idle machine to the deadline of a request. */
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];

export function createWriteMetrics(registry: Registry, admission: Admission): WriteMetrics {
  const registers = [registry];
  const writes = new Counter({
    name: 'clusterflux_gateway_writes_total',
    help: 'Writes of clients by outcome (written, or the code of the refusal) and consistency level.',
    labelNames: ['outcome', 'level'],
    registers,
  });
  const points = new Counter({
    name: 'clusterflux_gateway_points_total',
    help: 'Points that parsed, by whether their write was acknowledged.',
    labelNames: ['acknowledged'],
    registers,
  });
  const duration = new Histogram({
    name: 'clusterflux_gateway_write_duration_seconds',
    help: 'From the head of a write to its answer.',
    buckets: BUCKETS_SECONDS,
    registers,
  });
  const sent = new Histogram({
    name: 'clusterflux_gateway_owner_write_duration_seconds',
    help: 'One batch sent to one owner (node id), by outcome.',
    labelNames: ['owner', 'outcome'],
    buckets: BUCKETS_SECONDS,
    registers,
  });
  const hints = new Counter({
    name: 'clusterflux_gateway_hints_total',
    help: 'Batches that became hints for an owner (node id), and those that could not be kept.',
    labelNames: ['owner', 'kept'],
    registers,
  });
  gauge(registry, 'bytes_in_flight', 'Bytes of writes under way.', () => admission.bytesInFlight);
  gauge(registry, 'writes_in_flight', 'Writes under way.', () => admission.writesInFlight);
  return {
    noteWrite(outcome, level, count, ms) {
      writes.inc({ outcome, level });
      points.inc({ acknowledged: String(outcome === 'written') }, count);
      duration.observe(ms / 1000);
    },
    noteSent(node, outcome, ms) {
      sent.observe({ owner: String(node), outcome }, ms / 1000);
    },
    noteHint(node, isKept) {
      hints.inc({ owner: String(node), kept: String(isKept) });
    },
  };
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name: `clusterflux_gateway_${name}`,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}
