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
  const file = process.env['FAULT_FIGURES'];
  if (file !== undefined && file !== '') appendFileSync(file, `${JSON.stringify(figure)}\n`);
}
