// Collects the ranges of good lines in typed arrays that grow, so that a body's lines cost no objects.
import type { LineColumns } from './scanned-lines.js';

/** Of a body whose first line tells nothing of the others. */
const SHORT_LINE_BYTES = 48;
/** The lines of a body are much alike; room for a third more than the first one says, and where that is too little it grows. */
const SHARE_OF_FIRST = 0.75;
const LEAST_LINES = 16;

export class LineBuilder {
  points = 0;
  columns: LineColumns;
  private room: number;

  /** @param firstLineBytes of the body's first line; 0 or less: not known. */
  constructor(bodyBytes: number, firstLineBytes = 0) {
    const lineBytes = Math.max(SHORT_LINE_BYTES, firstLineBytes * SHARE_OF_FIRST);
    this.room = LEAST_LINES + Math.floor(bodyBytes / lineBytes);
    this.columns = emptyColumns(this.room);
  }

  add(
    start: number,
    keyEnd: number,
    end: number,
    timeNs: number,
    shape: number,
    flags: number,
  ): void {
    if (this.points === this.room) this.grow();
    const { columns, points } = this;
    columns.starts[points] = start;
    columns.keyEnds[points] = keyEnd;
    columns.ends[points] = end;
    columns.times[points] = timeNs;
    columns.shapes[points] = shape;
    columns.flags[points] = flags;
    this.points += 1;
  }

  private grow(): void {
    const old = this.columns;
    this.room *= 2;
    this.columns = emptyColumns(this.room);
    this.columns.starts.set(old.starts);
    this.columns.keyEnds.set(old.keyEnds);
    this.columns.ends.set(old.ends);
    this.columns.times.set(old.times);
    this.columns.shapes.set(old.shapes);
    this.columns.flags.set(old.flags);
  }
}

function emptyColumns(lines: number): LineColumns {
  return {
    starts: new Uint32Array(lines),
    keyEnds: new Uint32Array(lines),
    ends: new Uint32Array(lines),
    times: new Float64Array(lines),
    shapes: new Float64Array(lines),
    flags: new Uint8Array(lines),
  };
}
