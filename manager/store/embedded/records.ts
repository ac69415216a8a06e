// Records: what stands inside a frame. Each is a line of JSON that a person can read, with its length, followed by raw value bytes.
// Only translation between bytes and the engine's commits and state; no files.
import type { Change, Commit, EngineState } from '../memory/engine.js';
import type { Entry, LeaseId } from '../port.js';

/** The format of log and snapshot files. A store refuses any other number. */
export const FORMAT = 1;

/** The first record of each file. */
export interface FileHeader {
  readonly store: 'clusterflux';
  readonly format: number;
  readonly file: 'log' | 'snapshot';
  readonly generation: number;
}

/** A JSON head and the bytes of the values that it speaks of, one after the other. */
interface RawRecord {
  readonly head: unknown;
  readonly body: Buffer;
}

type ChangeHead =
  | { readonly put: string; readonly bytes: number; readonly lease?: LeaseId }
  | { readonly delete: string }
  | { readonly grant: LeaseId; readonly ttl: number }
  | { readonly revoke: LeaseId };

interface CommitHead {
  readonly revision: number;
  readonly changes: readonly ChangeHead[];
}

interface EntryHead {
  readonly key: string;
  readonly bytes: number;
  readonly created: number;
  readonly modified: number;
  readonly lease?: LeaseId;
}

interface StateHead {
  readonly revision: number;
  readonly leases: readonly { readonly id: LeaseId; readonly ttl: number }[];
  readonly entries: readonly EntryHead[];
}

/** Bytes of the two lengths in front of a record: head and body. */
const LENGTHS_BYTES = 8;

export function encodeHeader(file: FileHeader['file'], generation: number): Buffer {
  const header: FileHeader = { store: 'clusterflux', format: FORMAT, file, generation };
  return encodeRecord(header, []);
}

/** The header that a frame's payload is, or undefined where it is none. Its format may be an unknown one. */
export function decodeHeader(payload: Buffer | undefined): FileHeader | undefined {
  const head = payload === undefined ? undefined : [...decodeRecords(payload)][0]?.head;
  const header = head as Partial<FileHeader> | undefined;
  return header?.store === 'clusterflux' ? (header as FileHeader) : undefined;
}

export function encodeCommit(commit: Commit): Buffer {
  const head: CommitHead = { revision: commit.revision, changes: commit.changes.map(changeHead) };
  return encodeRecord(
    head,
    commit.changes.flatMap((change) => ('put' in change ? [change.value] : [])),
  );
}

/** The commits in a frame's payload, in order. */
export function* decodeCommits(payload: Buffer): Generator<Commit> {
  for (const { head, body } of decodeRecords(payload)) {
    const { revision, changes } = head as CommitHead;
    const values = valueReader(body);
    yield { revision, changes: changes.map((change) => changeOf(change, values)) };
  }
}

/** A part of a state: some of its entries, and (in the first part) its leases. */
export function encodeState(state: EngineState): Buffer {
  const head: StateHead = {
    revision: state.revision,
    leases: state.leases.map(({ id, ttlSeconds }) => ({ id, ttl: ttlSeconds })),
    entries: state.entries.map(entryHead),
  };
  return encodeRecord(
    head,
    state.entries.map((entry) => entry.value),
  );
}

/** The parts of a state in a frame's payload. */
export function* decodeStates(payload: Buffer): Generator<EngineState> {
  for (const { head, body } of decodeRecords(payload)) {
    const { revision, leases, entries } = head as StateHead;
    const values = valueReader(body);
    yield {
      revision,
      leases: leases.map(({ id, ttl }) => ({ id, ttlSeconds: ttl })),
      entries: entries.map((entry) => entryOf(entry, values)),
    };
  }
}

function changeHead(change: Change): ChangeHead {
  if ('put' in change) {
    const head = { put: change.put, bytes: change.value.length };
    return change.leaseId === undefined ? head : { ...head, lease: change.leaseId };
  }
  if ('grant' in change) return { grant: change.grant, ttl: change.ttlSeconds };
  return change;
}

function changeOf(head: ChangeHead, values: (bytes: number) => Buffer): Change {
  if ('put' in head) {
    const change = { put: head.put, value: values(head.bytes) };
    return head.lease === undefined ? change : { ...change, leaseId: head.lease };
  }
  if ('grant' in head) return { grant: head.grant, ttlSeconds: head.ttl };
  return head;
}

function entryHead(entry: Entry): EntryHead {
  const head = {
    key: entry.key,
    bytes: entry.value.length,
    created: entry.createRevision,
    modified: entry.modRevision,
  };
  return entry.leaseId === undefined ? head : { ...head, lease: entry.leaseId };
}

function entryOf(head: EntryHead, values: (bytes: number) => Buffer): Entry {
  return {
    key: head.key,
    value: values(head.bytes),
    createRevision: head.created,
    modRevision: head.modified,
    leaseId: head.lease,
  };
}

/** Hands out the values of a body one after the other, copied so that they do not keep the whole file in memory. */
function valueReader(body: Buffer): (bytes: number) => Buffer {
  let offset = 0;
  return (bytes) => {
    const value = Buffer.from(body.subarray(offset, offset + bytes));
    offset += bytes;
    return value;
  };
}

function encodeRecord(head: object, values: readonly Buffer[]): Buffer {
  const headBytes = Buffer.from(JSON.stringify(head));
  const lengths = Buffer.alloc(LENGTHS_BYTES);
  lengths.writeUInt32LE(headBytes.length, 0);
  lengths.writeUInt32LE(
    values.reduce((sum, value) => sum + value.length, 0),
    4,
  );
  return Buffer.concat([lengths, headBytes, ...values]);
}

/** The checksum of the frame has vouched for the bytes, so what is read here is what was written. */
function* decodeRecords(payload: Buffer): Generator<RawRecord> {
  let offset = 0;
  while (offset < payload.length) {
    const headStart = offset + LENGTHS_BYTES;
    const bodyStart = headStart + payload.readUInt32LE(offset);
    const end = bodyStart + payload.readUInt32LE(offset + 4);
    yield {
      head: JSON.parse(payload.toString('utf8', headStart, bodyStart)) as unknown,
      body: payload.subarray(bodyStart, end),
    };
    offset = end;
  }
}
