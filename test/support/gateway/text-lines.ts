// Lines of a batch as plain texts, for tests of the fan-out. The shape of a line is the number before its first blank, so that a
// test says at once which lines are alike: `1 a=1`, `2 b="x"`.
import type { Lines } from '../../../agent/gateway/write/lines.js';

export class TextLines implements Lines {
  constructor(readonly texts: readonly string[]) {}

  get count(): number {
    return this.texts.length;
  }

  body(): Buffer {
    return Buffer.from(this.texts.join('\n'));
  }

  shapes(): ReadonlySet<number> {
    return new Set(this.texts.map(shapeOf));
  }

  filter(keep: (shape: number) => boolean): TextLines {
    const kept = this.texts.filter((text) => keep(shapeOf(text)));
    return kept.length === this.texts.length ? this : new TextLines(kept);
  }

  halves(): readonly [TextLines, TextLines] {
    const middle = this.count >>> 1;
    return [new TextLines(this.texts.slice(0, middle)), new TextLines(this.texts.slice(middle))];
  }
}

export function shapeOf(text: string): number {
  return Number(text.split(' ')[0]);
}
