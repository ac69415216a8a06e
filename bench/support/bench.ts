// What a benchmark is given, and how it ends what it started.
import { setTimeout as delay } from 'node:timers/promises';
import type { Report } from './report.js';

export interface BenchOptions {
  /** 1: as in docs/performance.md; less: fewer rounds, readers and seconds, for trying things out. */
  readonly scale: number;
}

export type Bench = (options: BenchOptions, cleanup: Cleanup) => Promise<Report>;

/** Ends what was started, the last first, also where a benchmark failed half-way. */
export class Cleanup {
  private readonly steps: (() => Promise<unknown>)[] = [];

  /** Remembers how to end something, and hands it on. */
  async keep<T>(started: Promise<T>, end: (value: T) => Promise<unknown>): Promise<T> {
    const value = await started;
    this.steps.push(() => end(value));
    return value;
  }

  async run(): Promise<void> {
    for (const step of this.steps.splice(0).reverse()) await step();
  }
}

/** Lets what a measurement set going come to rest before the next one begins. */
export function pause(ms: number): Promise<void> {
  return delay(ms);
}
