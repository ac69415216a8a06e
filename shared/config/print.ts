// The effective configuration for people and programs, with passwords in URLs masked. Pure.
import type { RawValue } from './key-types.js';
import { allKeys } from './keys.js';
import type { EffectiveValue } from './load.js';

/** One key as `config print -o json` gives it. */
export interface PrintedValue {
  readonly key: string;
  /** Null where nothing is set and there is no default. */
  readonly value: RawValue | null;
  /** `default`, or the file, variable or flag. */
  readonly source: string;
}

export function printable(values: readonly EffectiveValue[]): PrintedValue[] {
  const urlKeys = new Set(
    allKeys()
      .filter((key) => key.isUrl)
      .map((key) => key.path),
  );
  return values.map(({ path, value, source }) => ({
    key: path,
    value: value === undefined ? null : urlKeys.has(path) ? maskUrls(value) : value,
    source: source.kind === 'default' ? 'default' : `${source.kind} ${source.name}`,
  }));
}

function maskUrls(value: RawValue): RawValue {
  if (typeof value === 'string') return maskUrl(value);
  return Array.isArray(value) ? value.map((each: string) => maskUrl(each)) : value;
}

/** `http://user:***@host/`; texts that are no URL, or carry no password, stay as they are. */
export function maskUrl(text: string): string {
  return text.replace(/^([a-z+.-]+:\/\/[^:/@]*):[^/]*@/i, '$1:***@');
}
