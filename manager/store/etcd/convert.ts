// Between the store port's shapes and etcd's messages. 64-bit numbers come as decimal text; lease ids stay text.
import {
  CompareResult,
  CompareTarget,
  SortOrder,
  SortTarget,
  type ICompare,
  type IEvent,
  type IKeyValue,
  type IRangeRequest,
  type IRequestOp,
} from 'etcd3';
import { compareKeys, prefixEnd } from '../key-order.js';
import type { Comparison, Entry, Operation, RangeOptions, WatchEvent } from '../port.js';

/** etcd's way to say "no lease". */
const NO_LEASE = '0';

/** The smallest key: etcd takes no empty one, so a range over everything starts here. */
const FIRST_KEY = Buffer.from([0]);

/** A revision counts transactions: at a thousand a second it takes 285,000 years to outgrow a number. */
export function revisionOf(text: string): number {
  return Number(text);
}

export function entryOf(keyValue: IKeyValue): Entry {
  return {
    key: keyValue.key.toString(),
    value: keyValue.value,
    createRevision: revisionOf(keyValue.create_revision),
    modRevision: revisionOf(keyValue.mod_revision),
    leaseId: keyValue.lease === NO_LEASE ? undefined : keyValue.lease,
  };
}

/** The first key and the end (exclusive) of the keys that begin with a prefix. */
export function prefixRange(prefix: string): { key: Buffer; range_end: Buffer } {
  return { key: prefix === '' ? FIRST_KEY : Buffer.from(prefix), range_end: prefixEnd(prefix) };
}

export function rangeRequest(prefix: string, options: RangeOptions): IRangeRequest {
  const range = prefixRange(prefix);
  const { after } = options;
  // The key that follows another one immediately is that one and a zero byte.
  const isWithin = after !== undefined && compareKeys(after, prefix) >= 0;
  return {
    ...range,
    ...(isWithin ? { key: Buffer.from(`${after}\0`) } : {}),
    ...(options.limit === undefined ? {} : { limit: options.limit }),
    ...(options.revision === undefined ? {} : { revision: options.revision }),
    ...(options.keysOnly === true ? { keys_only: true } : {}),
    ...(options.descending === true
      ? { sort_order: SortOrder.Descend, sort_target: SortTarget.Key }
      : {}),
  };
}

export function compareRequest(comparison: Comparison): ICompare {
  const key = Buffer.from(comparison.key);
  switch (comparison.is) {
    case 'absent':
      return { key, target: CompareTarget.Create, result: CompareResult.Equal, create_revision: 0 };
    case 'present':
      return {
        key,
        target: CompareTarget.Create,
        result: CompareResult.Greater,
        create_revision: 0,
      };
    case 'at': {
      const { modRevision } = comparison;
      return {
        key,
        target: CompareTarget.Mod,
        result: CompareResult.Equal,
        mod_revision: modRevision,
      };
    }
    case 'equal':
      return {
        key,
        target: CompareTarget.Value,
        result: CompareResult.Equal,
        value: comparison.value,
      };
  }
}

export function operationRequest(operation: Operation): IRequestOp {
  if ('put' in operation) {
    return {
      request_put: {
        key: Buffer.from(operation.put),
        value: operation.value,
        ...(operation.leaseId === undefined ? {} : { lease: operation.leaseId }),
      },
    };
  }
  if ('delete' in operation) {
    return { request_delete_range: { key: Buffer.from(operation.delete) } };
  }
  return { request_delete_range: prefixRange(operation.deletePrefix) };
}

export function watchEventOf(event: IEvent): WatchEvent {
  // The library's type says `Delete`, its decoder gives the name in the protocol's description, `DELETE`.
  if (event.type.toUpperCase() === 'DELETE') {
    const revision = revisionOf(event.kv.mod_revision);
    return { kind: 'delete', key: event.kv.key.toString(), revision };
  }
  return { kind: 'put', entry: entryOf(event.kv) };
}
