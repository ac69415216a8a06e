// What one transaction may hold. Every adapter refuses the same, so that code tried on the memory store also runs on etcd.
import { AppError } from '../../shared/errors/app-error.js';
import type { Comparison, Operation } from './port.js';

/** etcd's default `--max-txn-ops`; it counts comparisons and operations apart. */
export const MAX_TRANSACTION_OPERATIONS = 128;

/** etcd's default `--max-request-bytes`. */
export const MAX_TRANSACTION_BYTES = 1.5 * 1024 * 1024;

/** A generous guess of what etcd's encoding adds to each key and value. */
const ENCODING_BYTES_PER_PART = 32;

/**
 * Throws AppError `internal` where a transaction is larger than etcd takes by default, or touches one key twice (etcd
 * refuses that too: the order would not be defined). Both are mistakes of the caller, not of its input.
 */
export function assertTransactionFits(
  comparisons: readonly Comparison[],
  operations: readonly Operation[],
): void {
  if (Math.max(comparisons.length, operations.length) > MAX_TRANSACTION_OPERATIONS) {
    throw new AppError(
      'internal',
      `a transaction of ${comparisons.length} comparisons and ${operations.length} operations was refused: the store takes ${MAX_TRANSACTION_OPERATIONS} of each; split it`,
    );
  }
  const bytes = transactionBytes(comparisons, operations);
  if (bytes > MAX_TRANSACTION_BYTES) {
    throw new AppError(
      'internal',
      `a transaction of about ${bytes} bytes was refused: the store takes ${MAX_TRANSACTION_BYTES}; split the value into chunks`,
    );
  }
  assertNoKeyTwice(operations);
}

function transactionBytes(
  comparisons: readonly Comparison[],
  operations: readonly Operation[],
): number {
  let bytes = 0;
  for (const comparison of comparisons) {
    bytes += ENCODING_BYTES_PER_PART + Buffer.byteLength(comparison.key);
    if (comparison.is === 'equal') bytes += comparison.value.length;
  }
  for (const operation of operations) {
    bytes += ENCODING_BYTES_PER_PART;
    if ('put' in operation) bytes += Buffer.byteLength(operation.put) + operation.value.length;
    else if ('delete' in operation) bytes += Buffer.byteLength(operation.delete);
    else bytes += Buffer.byteLength(operation.deletePrefix);
  }
  return bytes;
}

/** A put may meet neither another put nor a delete of its key; two deletes of one key are harmless. */
function assertNoKeyTwice(operations: readonly Operation[]): void {
  const puts = new Set<string>();
  for (const operation of operations) {
    if (!('put' in operation)) continue;
    if (puts.has(operation.put)) throw keyTwice(operation.put);
    puts.add(operation.put);
  }
  for (const operation of operations) {
    if ('delete' in operation && puts.has(operation.delete)) throw keyTwice(operation.delete);
    if (!('deletePrefix' in operation)) continue;
    for (const key of puts) {
      if (key.startsWith(operation.deletePrefix)) throw keyTwice(key);
    }
  }
}

function keyTwice(key: string): AppError {
  return new AppError(
    'internal',
    `a transaction that changes the key ${key} twice was refused: the store gives no order within a transaction; change it once`,
    { details: { key } },
  );
}
