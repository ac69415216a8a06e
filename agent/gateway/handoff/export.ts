// All hints for one owner as a file that `influx -import` reads: line protocol with headers, every time in nanoseconds. It is
// made as it is read; nothing is held whole.
import { NS_PER_UNIT, type Precision } from '../../../shared/influx/precision.js';
import { linesOf } from './lines.js';
import type { HintItem } from './log-item.js';

/** To be written with precision ns, which is the importer's default. */
export async function* exportHints(hints: AsyncIterable<HintItem>): AsyncGenerator<Buffer> {
  yield Buffer.from('# DDL\n\n# DML\n');
  let context = '';
  for await (const { batch } of hints) {
    const head = `# CONTEXT-DATABASE: ${batch.database}\n# CONTEXT-RETENTION-POLICY: ${batch.policy}\n`;
    if (head !== context) yield Buffer.from(head);
    context = head;
    const lines = linesOf(batch.body).map((line) => inNanoseconds(line, batch.precision));
    yield Buffer.concat(lines.flatMap((line) => [line, NEWLINE]));
  }
}

const NEWLINE = Buffer.from('\n');
/** The time is what follows the last space; a hint has no line without one. */
const TIME = /^(.* )(-?\d+)\s*$/s;

function inNanoseconds(line: Buffer, precision: Precision): Buffer {
  if (precision === 'n') return line;
  // Byte for byte: what is no UTF-8 stays what it is.
  const [, rest, time] = TIME.exec(line.toString('latin1')) ?? [];
  if (rest === undefined || time === undefined) return line;
  const timeNs = BigInt(time) * NS_PER_UNIT[precision];
  return Buffer.from(`${rest}${timeNs}`, 'latin1');
}
