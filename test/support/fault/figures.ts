// What the faults came to: one JSON line for each, in the file that FAULT_FIGURES names, from which docs/reliability.md has its
// figures (tools/fault-figures.mjs). Without the variable they are only printed.
import { appendFileSync } from 'node:fs';

export interface Figure {
  /** The fault, as the report names it. */
  readonly fault: string;
  /** Statements that influxds had acknowledged by then, since the fault before. */
  readonly acknowledged: number;
  readonly versions: number;
  /** From the end of the fault until all nodes were equal, in ms. */
  readonly convergedMs: number;
  readonly complaints: number;
}

export function noteFigure(figure: Figure): void {
  const { fault, acknowledged, versions, convergedMs } = figure;
  console.log(
    `      ${fault}: ${acknowledged} statements, ${versions} versions, all equal after ${convergedMs} ms`,
  );
  note(figure);
}

/** Of a fault under clients that write and read points. */
export interface PointFigure {
  readonly fault: string;
  /** Acknowledged. */
  readonly batches: number;
  readonly points: number;
  /** Whole answers. */
  readonly reads: number;
  /** Whole answers that lacked an acknowledged point. */
  readonly missed: number;
  /** The longest time without a whole answer, at the gateway that was best off, in ms. */
  readonly unservedMs: number;
  /** From the end of the fault until every node had answered a read itself, under load, in ms. */
  readonly healedMs: number;
  readonly complaints: number;
}

export function notePointFigure(figure: PointFigure): void {
  const { fault, batches, points, reads, missed, unservedMs, healedMs } = figure;
  console.log(
    `      ${fault}: ${batches} batches of ${points} points, ${reads} reads, ${missed} missed, ` +
      `at most ${unservedMs} ms without one, healed after ${healedMs} ms`,
  );
  note(figure);
}

function note(figure: Figure | PointFigure): void {
  const file = process.env['FAULT_FIGURES'];
  if (file !== undefined && file !== '') appendFileSync(file, `${JSON.stringify(figure)}\n`);
}
