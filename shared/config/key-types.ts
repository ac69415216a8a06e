// The kinds of values that a configuration key can have: each a zod type that reads the file's form and gives the program's
// form, registered with what people need to know about the key. schema.ts is written with these words alone.
import { z } from 'zod';
import { nameFault, NAME_RULE } from '../api/names.js';
import { parseAddress } from './address.js';
import { parseDuration, parseSize } from './units.js';

/** A value as it stands in TOML. */
export type RawValue = string | number | boolean | readonly string[];

/** What is known about a key besides its type. */
export interface KeyInfo {
  readonly kind: 'text' | 'list' | 'integer' | 'boolean';
  /** The words after "expected" in an error. */
  readonly expects: string;
  /** What stands where nothing is configured; undefined for none, or where `defaultText` says how it is found. */
  readonly default: RawValue | undefined;
  /** The default in words, where it is not a constant. */
  readonly defaultText: string | undefined;
  readonly description: string;
  /** True where the key is accepted by this release and changes nothing yet. */
  readonly isLater: boolean;
  /** True where the value is a URL, or a list of them, that may carry a password. */
  readonly isUrl: boolean;
}

/** Information about each key's type; filled by the functions below as schema.ts calls them. */
export const keyInfos = z.registry<KeyInfo>();

/** What differs from the usual for one key. */
export interface KeyOptions {
  readonly isLater?: boolean;
  readonly defaultText?: string;
}

export function duration(
  fallback: string,
  description: string,
  options: KeyOptions & { readonly atLeast?: string; readonly because?: string } = {},
) {
  const { atLeast, because } = options;
  const minMs = parseDuration(atLeast ?? '0s') ?? 0;
  const limit =
    atLeast === undefined
      ? ''
      : ` of at least ${atLeast}${because === undefined ? '' : ` (${because})`}`;
  const expects = `a duration${limit} such as "1h30m" (units ms, s, m, h, d)`;
  return z
    .string()
    .refine((text) => (parseDuration(text) ?? -1) >= minMs)
    .transform((text) => parseDuration(text) ?? 0)
    .register(keyInfos, info('text', expects, fallback, description, options));
}

/** A duration, or `off` (undefined to the program). */
export function durationOrOff(description: string, options: KeyOptions = {}) {
  return z
    .string()
    .refine((text) => text === 'off' || (parseDuration(text) ?? 0) > 0)
    .transform((text) => (text === 'off' ? undefined : parseDuration(text)))
    .register(
      keyInfos,
      info('text', '"off" or a duration such as "1s"', 'off', description, options),
    );
}

export function size(fallback: string, description: string, options: KeyOptions = {}) {
  return z
    .string()
    .refine((text) => (parseSize(text) ?? 0) > 0)
    .transform((text) => parseSize(text) ?? 0)
    .register(keyInfos, info('text', SIZE, fallback, description, options));
}

/** A size per second, or 0 for no limit. */
export function rate(description: string, options: KeyOptions = {}) {
  return z
    .union([
      z.literal(0),
      z.string().refine((text) => text === '0' || parseSize(text) !== undefined),
    ])
    .transform((value) => (typeof value === 'number' ? value : (parseSize(value) ?? 0)))
    .register(keyInfos, info('integer', `0 for no limit, or ${SIZE}`, 0, description, options));
}

export function integer(
  range: { readonly min: number; readonly max?: number },
  fallback: number | undefined,
  description: string,
  options: KeyOptions = {},
) {
  const max = range.max ?? Number.MAX_SAFE_INTEGER;
  const limits =
    range.max === undefined ? `at least ${range.min}` : `from ${range.min} to ${range.max}`;
  return z
    .int()
    .min(range.min)
    .max(max)
    .register(
      keyInfos,
      info('integer', `a whole number, ${limits}`, fallback, description, options),
    );
}

export function flag(fallback: boolean, description: string, options: KeyOptions = {}) {
  return z
    .boolean()
    .register(keyInfos, info('boolean', 'true or false', fallback, description, options));
}

export function choice<const T extends readonly [string, ...string[]]>(
  values: T,
  fallback: T[number],
  description: string,
  options: KeyOptions = {},
) {
  const expects = `one of ${values.map((value) => `"${value}"`).join(', ')}`;
  return z.enum(values).register(keyInfos, info('text', expects, fallback, description, options));
}

export function address(fallback: string, description: string, options: KeyOptions = {}) {
  return addressType().register(keyInfos, info('text', ADDRESS, fallback, description, options));
}

export function optionalAddress(description: string, options: KeyOptions = {}) {
  return addressType()
    .optional()
    .register(keyInfos, info('text', ADDRESS, undefined, description, options));
}

/** A path: not empty, without NUL. Relative ones are relative to the working directory. */
export function path(fallback: string | undefined, description: string, options: KeyOptions = {}) {
  return pathType().register(keyInfos, info('text', PATH, fallback, description, options));
}

export function optionalPath(description: string, options: KeyOptions = {}) {
  return pathType()
    .optional()
    .register(keyInfos, info('text', PATH, undefined, description, options));
}

export function optionalText(description: string, options: KeyOptions = {}) {
  return z
    .string()
    .min(1)
    .optional()
    .register(keyInfos, info('text', 'a text that is not empty', undefined, description, options));
}

/** The start of all keys in etcd: begins with a slash, does not end with one. */
export function keyPrefix(fallback: string, description: string) {
  const expects = 'a prefix such as "/clusterflux" (begins with a slash, does not end with one)';
  return z
    .string()
    .regex(/^(\/[^/\s]+)+$/)
    .register(keyInfos, info('text', expects, fallback, description, {}));
}

/** A name by the rules of the API: 1 to 255 bytes of UTF-8, no control characters, not a dot or two. */
export function name(fallback: string, description: string) {
  const expects = `a name (${NAME_RULE})`;
  return z
    .string()
    .refine((text) => nameFault(text) === undefined)
    .register(keyInfos, info('text', expects, fallback, description, {}));
}

export function url(fallback: string, description: string, options: KeyOptions = {}) {
  return urlType().register(keyInfos, {
    ...info('text', URL_EXAMPLE, fallback, description, options),
    isUrl: true,
  });
}

export function urls(fallback: readonly string[], description: string, options: KeyOptions = {}) {
  return z
    .array(urlType())
    .min(1)
    .register(keyInfos, {
      ...info('list', `a list of URLs, each ${URL_EXAMPLE}`, fallback, description, options),
      isUrl: true,
    });
}

export function texts(fallback: readonly string[], description: string, options: KeyOptions = {}) {
  return z
    .array(z.string().min(1))
    .register(keyInfos, info('list', 'a list of texts', fallback, description, options));
}

const SIZE = 'a size such as "64MiB" (units B, KiB, MiB, GiB)';
const ADDRESS = 'an address such as "127.0.0.1:8000", "[::1]:8000" or ":8000" (all addresses)';
const PATH = 'a path';
const URL_EXAMPLE = 'a URL such as "http://127.0.0.1:8000"';

function info(
  kind: KeyInfo['kind'],
  expects: string,
  fallback: RawValue | undefined,
  description: string,
  options: KeyOptions,
): KeyInfo {
  const { isLater = false, defaultText } = options;
  return { kind, expects, default: fallback, defaultText, description, isLater, isUrl: false };
}

function addressType() {
  return z
    .string()
    .refine((text) => parseAddress(text) !== undefined)
    .transform((text) => parseAddress(text) ?? { host: '', port: 0 });
}

function pathType() {
  return z.string().refine((text) => text !== '' && !text.includes('\0'));
}

function urlType() {
  return z.string().refine((text) => {
    const parsed = URL.canParse(text) ? new URL(text) : undefined;
    return parsed?.protocol === 'http:' || parsed?.protocol === 'https:';
  });
}
