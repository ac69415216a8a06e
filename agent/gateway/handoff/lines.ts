// Line protocol, as far as hints need it: where lines end, and which of them an error of influxd speaks of. It judges no line.
import { lineEnd } from '../../../shared/influx/scan/line-end.js';

/** Where each line ends: the offset of its \n, or the length. A newline within a string value does not end a line. */
export function lineEnds(body: Buffer): number[] {
  const ends: number[] = [];
  for (let start = 0; start < body.length;) {
    const end = lineEnd(body, start);
    ends.push(end);
    start = end + 1;
  }
  return ends;
}

/** Two halves by number of lines; undefined where there is but one line. */
export function halve(body: Buffer): readonly [Buffer, Buffer] | undefined {
  const ends = lineEnds(body);
  const middle = ends[Math.ceil(ends.length / 2) - 1];
  if (ends.length < 2 || middle === undefined) return undefined;
  return [body.subarray(0, middle), body.subarray(middle + 1)];
}

export function countLines(body: Buffer): number {
  return lineEnds(body).length;
}

/** The lines one by one, without their ends. */
export function linesOf(body: Buffer): Buffer[] {
  let start = 0;
  return lineEnds(body).map((end) => {
    const line = body.subarray(start, end);
    start = end + 1;
    return line;
  });
}

const UNPARSABLE = /unable to parse '/;
const CONFLICT = /input field "(.+?)" on measurement "(.+?)" is type/s;

/**
 * The lines that influxd's refusal is about. It names lines that it can't parse, and of conflicts of types one field of one
 * measurement; where it names nothing, any line may be meant, and all are given.
 */
export function blamedLines(body: Buffer, text: string): readonly Buffer[] {
  const lines = linesOf(body);
  const blamed = lines.filter((line) => isBlamed(line.toString(), text));
  return blamed.length === 0 ? lines : blamed;
}

function isBlamed(line: string, text: string): boolean {
  if (UNPARSABLE.test(text)) return text.includes(`'${line}'`);
  const [, field, measurement] = CONFLICT.exec(text) ?? [];
  if (field === undefined || measurement === undefined) return false;
  const head = measurement.replace(/([, ])/g, '\\$1');
  const key = field.replace(/([, =])/g, '\\$1');
  const isOfMeasurement = line.startsWith(`${head},`) || line.startsWith(`${head} `);
  return isOfMeasurement && (line.includes(` ${key}=`) || line.includes(`,${key}=`));
}

/** Why points older than the retention policy were not taken: they are gone everywhere, so nothing is lost by it. */
export function isBeyondRetention(text: string): boolean {
  return text.includes('points beyond retention policy');
}
