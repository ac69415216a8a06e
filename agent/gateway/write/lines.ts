// Some lines of one write, in the order in which they came: what the fan-out needs to know of them, so that it can send them
// whole, in halves, or without those that an owner refused. How they are kept is scanned-lines.ts's business.

export interface Lines {
  readonly count: number;
  /** Line protocol, each line with a time, in the request's precision. Made when first asked for, then kept. */
  body(): Buffer;
  /** What stands for measurement, field keys and types: what is in one batch, without repetitions. */
  shapes(): ReadonlySet<number>;
  /** Those that the test passes; this very object where all do. */
  filter(keep: (shape: number) => boolean): Lines;
  /** The first and the second half; only where there are two lines or more. */
  halves(): readonly [Lines, Lines];
}
