// Results that the gateway makes by itself as MessagePack, in the very forms that influxd's encoder chooses.
import { integer, list, packedError, text } from '../msgpack.js';
import type { AnswerForm } from './port.js';
import { TimeCell, epochOf, type Cell, type Row, type StatementResult } from './results.js';

const NS_PER_SECOND = 1_000_000_000n;

/** `{"results": [` : what comes before the results of an answer. */
export function packedHead(results: number): Buffer {
  return Buffer.concat([Buffer.from([0x81]), text('results'), list(results)]);
}

/** One result. influxd leaves the statement's number out where it is an error. */
export function packedResult(id: number, result: StatementResult, form: AnswerForm): Buffer {
  const { series = [], messages = [], error } = result;
  if (error !== undefined) return packedError(error);
  const parts: Buffer[] = [Buffer.from([messages.length > 0 ? 0x83 : 0x82])];
  parts.push(text('statement_id'));
  parts.push(integer(BigInt(id)));
  if (messages.length > 0) {
    parts.push(text('messages'), list(messages.length));
    for (const message of messages) {
      parts.push(Buffer.from([0x82]), text('level'), text('warning'), text('text'), text(message));
    }
  }
  parts.push(text('series'), list(series.length), ...series.map((row) => packedRow(row, form)));
  return Buffer.concat(parts);
}

function packedRow({ name, columns, values = [] }: Row, form: AnswerForm): Buffer {
  const parts: Buffer[] = [Buffer.from([name === undefined ? 0x82 : 0x83])];
  if (name !== undefined) parts.push(text('name'), text(name));
  parts.push(text('columns'), list(columns.length), ...columns.map(text));
  parts.push(text('values'), list(values.length));
  for (const cells of values) {
    parts.push(list(cells.length), ...cells.map((cell) => packedCell(cell, form)));
  }
  return Buffer.concat(parts);
}

function packedCell(cell: Cell, { epoch }: AnswerForm): Buffer {
  if (cell === null) return Buffer.from([0xc0]);
  if (cell instanceof TimeCell) {
    return epoch === undefined ? instant(cell.ns) : integer(epochOf(cell, epoch));
  }
  if (typeof cell === 'boolean') return Buffer.from([cell ? 0xc3 : 0xc2]);
  if (typeof cell === 'string') return text(cell);
  if (typeof cell === 'bigint') return integer(cell);
  const bytes = Buffer.alloc(9, 0xcb);
  bytes.writeDoubleBE(cell, 1);
  return bytes;
}

/** Extension 5: seconds and nanoseconds. */
function instant(ns: bigint): Buffer {
  const bytes = Buffer.from([0xc7, 12, 5, ...Buffer.alloc(12)]);
  const nanos = ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  bytes.writeBigInt64BE((ns - nanos) / NS_PER_SECOND, 3);
  bytes.writeInt32BE(Number(nanos), 11);
  return bytes;
}
