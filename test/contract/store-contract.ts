// What the parts of the store's contract share: the harness by which a store comes in, and short ways to write and to look.
import { expect } from 'chai';
import type { Entry, Store, WatchEvent } from '../../manager/store/port.js';
import { isAppError, type ErrorCode } from '../../shared/errors/app-error.js';

export interface StoreHarness {
  readonly name: string;
  /** Opens the store that all tests of the suite share; called once. */
  open(): Promise<Store>;
  /** Opens another store of this kind, for the test that closes it. */
  openAnother(): Promise<Store>;
  /** Lets time pass for leases: a fake clock where there is one. */
  passTime(ms: number): Promise<void>;
  /** Makes the store forget its past; absent where it does so only by itself. */
  compact?(revision: number): Promise<void>;
  dispose(): Promise<void>;
}

/** What the tests of one suite share. */
export interface SuiteContext {
  readonly harness: StoreHarness;
  readonly store: () => Store;
  /** A prefix of the running test's own. */
  readonly prefix: () => string;
}

export const bytes = (text: string): Buffer => Buffer.from(text);

export async function put(
  store: Store,
  key: string,
  value: string,
  leaseId?: string,
): Promise<number> {
  const operation = {
    put: key,
    value: bytes(value),
    ...(leaseId === undefined ? {} : { leaseId }),
  };
  const result = await store.transact([], [operation]);
  expect(result.kind).to.equal('committed');
  return result.revision;
}

/** A key's value as text; undefined where the key is absent. */
export async function read(store: Store, key: string): Promise<string | undefined> {
  return (await store.get(key))?.value.toString();
}

export function names(entries: readonly Entry[], prefix: string): string[] {
  return entries.map((entry) => entry.key.slice(prefix.length));
}

/** The code of the AppError with which a call fails; fails itself where the call does not, or with anything else. */
export async function codeOf(call: Promise<unknown>): Promise<ErrorCode> {
  let result: unknown;
  try {
    result = await call;
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
  throw new Error(`expected an error, got ${JSON.stringify(result)}`);
}

/** A watch event in short: `put /k=v`, `delete /k`, `reset`. */
export function brief(event: WatchEvent, prefix: string): string {
  if (event.kind === 'reset') return 'reset';
  if (event.kind === 'delete') return `delete ${event.key.slice(prefix.length)}`;
  return `put ${event.entry.key.slice(prefix.length)}=${event.entry.value.toString()}`;
}
