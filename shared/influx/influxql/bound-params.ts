// Bound parameters: what the JSON of `params` puts in the place of $name, by influxd's rules.
import type { TokenKind } from './token.js';

/** A token to stand for the parameter, or why it can't. */
export type BoundValue =
  | { readonly kind: TokenKind; readonly value: string }
  | { readonly kind: 'unusable'; readonly why: string };

/**
 * `value`: as JSON.parse gives it, a bigint where the text was an integer that a number can't hold. A number without a fraction
 * counts as an integer: JSON.parse has forgotten whether it was written 1 or 1.0, which makes no difference to our reading.
 */
export function bindValue(value: unknown): BoundValue {
  if (typeof value === 'string') return { kind: 'string', value };
  if (typeof value === 'boolean') return { kind: value ? 'TRUE' : 'FALSE', value: '' };
  if (typeof value === 'bigint') return { kind: 'integer', value: value.toString() };
  if (typeof value === 'number') return bindNumber(value);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return bindObject(Object.entries(value));
  }
  return { kind: 'unusable', why: 'unable to bind a parameter of this type' };
}

function bindNumber(value: number): BoundValue {
  return Number.isInteger(value)
    ? { kind: 'integer', value: BigInt(value).toString() }
    : { kind: 'number', value: decimal(value) };
}

/** `{"identifier": "cpu"}`, `{"regex": "..."}` and the like. */
function bindObject(entries: readonly (readonly [string, unknown])[]): BoundValue {
  const [entry] = entries;
  if (entry === undefined || entries.length > 1) {
    return {
      kind: 'unusable',
      why: 'bound object parameter value must have exactly one entry',
    };
  }
  const [type, value] = entry;
  const kind = OBJECT_KINDS[type];
  if (kind === undefined) {
    return { kind: 'unusable', why: `unknown bind object type: ${type}` };
  }
  const text = OBJECT_TEXTS[kind](value);
  if (text === undefined) {
    return { kind: 'unusable', why: `the bound value is no ${type}` };
  }
  return { kind, value: text };
}

type ObjectKind = 'identifier' | 'regex' | 'string' | 'number' | 'integer' | 'duration';

const OBJECT_KINDS: Readonly<Record<string, ObjectKind | undefined>> = {
  ident: 'identifier',
  identifier: 'identifier',
  regex: 'regex',
  string: 'string',
  float: 'number',
  number: 'number',
  int: 'integer',
  integer: 'integer',
  duration: 'duration',
};

const OBJECT_TEXTS: Readonly<Record<ObjectKind, (value: unknown) => string | undefined>> = {
  identifier: textOf,
  regex: textOf,
  string: textOf,
  number: (value) => (typeof value === 'number' ? decimal(value) : integerOf(value)),
  integer: integerOf,
  duration: (value) => {
    const ns = integerOf(value);
    return ns === undefined ? textOf(value) : `${ns}ns`;
  },
};

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function integerOf(value: unknown): string | undefined {
  if (typeof value === 'bigint') return value.toString();
  return Number.isInteger(value) ? BigInt(value as number).toString() : undefined;
}

/** Without an exponent, as influxd prints it: the shortest digits, and zeros. */
function decimal(value: number): string {
  const parts = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(String(value));
  if (parts === null) return String(value);
  const [, sign = '', first = '', rest = '', exponent] = parts;
  const digits = first + rest;
  const point = Number(exponent) + 1;
  return point <= 0
    ? `${sign}0.${'0'.repeat(-point)}${digits}`
    : `${sign}${digits.padEnd(point, '0')}`;
}
