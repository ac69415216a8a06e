// Marks and tombstones as the bytes of a blob: the wire shape, so that there is one.
import { marksFromWire, marksSchema, marksToWire } from '../../shared/api/marks.js';
import type { Marks } from '../../shared/meta/marks.js';
import { decodeRecord, encodeRecord } from '../store/records.js';

export function encodeMarks(marks: Marks): Buffer {
  return encodeRecord(marksToWire(marks));
}

/** @param where names the record in errors */
export function decodeMarks(bytes: Buffer, where: string): Marks {
  return marksFromWire(decodeRecord({ key: where, value: bytes }, marksSchema));
}
