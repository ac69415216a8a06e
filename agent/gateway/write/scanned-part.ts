// Some lines of a scanned body as the fan-out sees them (lines.ts): indices into the scan, no copy before bytes are needed.
import type { ScannedLines } from '../../../shared/influx/scan/scanned-lines.js';
import { selectLines } from '../../../shared/influx/scan/select-lines.js';
import type { Lines } from './lines.js';

export class ScannedPart implements Lines {
  private bytes: Buffer | undefined;
  private known: ReadonlySet<number> | undefined;

  /** @param indices ascending; undefined: all good lines. */
  constructor(
    readonly lines: ScannedLines,
    private readonly indices?: Uint32Array,
  ) {}

  get count(): number {
    return this.indices?.length ?? this.lines.points;
  }

  /** The line (an index into the scan) at a position of this part. */
  lineAt(at: number): number {
    return this.indices === undefined ? at : (this.indices[at] as number);
  }

  body(): Buffer {
    this.bytes ??= selectLines(this.lines, this.indices);
    return this.bytes;
  }

  shapes(): ReadonlySet<number> {
    if (this.known !== undefined) return this.known;
    const shapes = new Set<number>();
    let last = NaN;
    for (let at = 0; at < this.count; at += 1) {
      const shape = this.shapeAt(at);
      if (shape !== last) shapes.add(shape);
      last = shape;
    }
    this.known = shapes;
    return shapes;
  }

  filter(keep: (shape: number) => boolean): ScannedPart {
    const kept = new Uint32Array(this.count);
    let count = 0;
    for (let at = 0; at < this.count; at += 1) {
      if (keep(this.shapeAt(at))) kept[count++] = this.lineAt(at);
    }
    return count === this.count ? this : new ScannedPart(this.lines, kept.slice(0, count));
  }

  halves(): readonly [ScannedPart, ScannedPart] {
    const all = Uint32Array.from({ length: this.count }, (_, at) => this.lineAt(at));
    const middle = this.count >>> 1;
    return [
      new ScannedPart(this.lines, all.slice(0, middle)),
      new ScannedPart(this.lines, all.slice(middle)),
    ];
  }

  /** The lines of several parts of one scan, in their order. */
  static joined(parts: readonly [ScannedPart, ...ScannedPart[]]): ScannedPart {
    const [first] = parts;
    if (parts.length === 1) return first;
    const size = parts.reduce((sum, part) => sum + part.count, 0);
    const all = new Uint32Array(size);
    let next = 0;
    for (const part of parts) {
      for (let at = 0; at < part.count; at += 1) all[next++] = part.lineAt(at);
    }
    return new ScannedPart(first.lines, all.sort());
  }

  private shapeAt(at: number): number {
    return this.lines.shapes[this.lineAt(at)] as number;
  }
}
