// A statement as influxd prints it in a refusal: words in capitals, names without the quotes that they don't need, durations and
// numbers in its own form, and no password. Token by token: what influxd adds or leaves out by meaning stays as it was written.
import { DURATION_UNITS, parseDuration } from '../../../shared/influx/influxql/duration.js';
import { keywordOf, type Token, type TokenKind } from '../../../shared/influx/influxql/token.js';
import { wordsOf } from '../../../shared/influx/influxql/words.js';

/** After these a minus is a difference; after everything else it is a sign. */
const OPERANDS: ReadonlySet<TokenKind> = new Set<TokenKind>([
  ...(['identifier', 'parameter', 'number', 'integer', 'duration', 'string', ')'] as const),
]);

/** No blank before and behind. */
const TIGHT_BEFORE: ReadonlySet<TokenKind> = new Set<TokenKind>([')', ',', ';', '.', '::']);
const TIGHT_BEHIND: ReadonlySet<TokenKind> = new Set<TokenKind>(['(', '.', '::', ':']);

/** @param statement one that influxd parses. */
export function printedStatement(statement: string): string {
  const tokens = wordsOf(statement);
  const style: Style = {
    hasPassword: tokens.some(({ kind }) => kind === 'PASSWORD'),
    isGrant: tokens[0]?.kind === 'GRANT' || tokens[0]?.kind === 'REVOKE',
    isDatabase: tokens[0]?.kind === 'CREATE' && tokens[1]?.kind === 'DATABASE',
  };
  let text = '';
  tokens.forEach((token, index) => {
    const [before, previous] = [tokens[index - 2], tokens[index - 1]];
    const next = tokens[index + 1];
    if (previous !== undefined && isApart(before, previous, token)) text += ' ';
    text += printed(token, next, style);
  });
  return text;
}

interface Style {
  readonly hasPassword: boolean;
  readonly isGrant: boolean;
  readonly isDatabase: boolean;
}

function isApart(before: Token | undefined, previous: Token, token: Token): boolean {
  if (TIGHT_BEFORE.has(token.kind) || TIGHT_BEHIND.has(previous.kind)) return false;
  if (token.kind === '(') return !isCallable(previous);
  // A sign, not a difference.
  const isSign = previous.kind === '-' && (before === undefined || !OPERANDS.has(before.kind));
  return !isSign;
}

function isCallable({ kind }: Token): boolean {
  return kind === 'identifier' || kind === 'DISTINCT';
}

function printed(token: Token, next: Token | undefined, style: Style): string {
  const isCall = next?.kind === '(';
  const isAll = token.kind === 'ALL' && style.isGrant && next?.kind !== 'PRIVILEGES';
  if (isAll) return 'ALL PRIVILEGES';
  if (token.kind === 'identifier' && isCall) return functionName(token.value);
  if (token.kind === 'DISTINCT' && isCall) return 'distinct';
  if (token.kind === 'string' && style.hasPassword) return '[REDACTED]';
  if (token.kind === 'duration') return duration(token.value, style);
  return PRINTED.get(token.kind)?.(token.value) ?? token.kind;
}

/** Whatever is not here stands for itself. */
const PRINTED: ReadonlyMap<TokenKind, (value: string) => string> = new Map<
  TokenKind,
  (value: string) => string
>([
  ['identifier', identifier],
  ['parameter', (value) => `$${identifier(value)}`],
  ['string', (value) => `'${escaped(value, "'")}'`],
  ['number', (value) => Number(value).toFixed(3)],
  ['integer', (value) => value],
  ['regex', (value) => `/${value.replaceAll('/', '\\/')}/`],
  ['INF', () => '0s'],
  ['TRUE', () => 'true'],
  ['FALSE', () => 'false'],
]);

function functionName(name: string): string {
  const lower = name.toLowerCase();
  return lower === 'tz' ? 'TZ' : lower;
}

function identifier(name: string): string {
  const isBare = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && keywordOf(name) === undefined;
  return isBare ? name : `"${escaped(name, '"')}"`;
}

function escaped(text: string, quote: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll(quote, `\\${quote}`);
}

/** In its largest unit; CREATE DATABASE alone is printed in Go's form, `72h0m0s`. */
function duration(text: string, { isDatabase }: Style): string {
  const ns = parseDuration(text);
  if (ns === undefined) return text;
  if (ns === 0n) return '0s';
  if (isDatabase) return goDuration(ns) ?? text;
  const unit = DURATION_UNITS.find(([, size]) => ns % size === 0n);
  return unit === undefined ? `${ns}ns` : `${ns / unit[1]}${unit[0]}`;
}

/** Undefined for parts of seconds: no policy has any. */
function goDuration(ns: bigint): string | undefined {
  if (ns % 1_000_000_000n !== 0n) return undefined;
  const seconds = ns / 1_000_000_000n;
  const [hours, minutes] = [seconds / 3_600n, (seconds / 60n) % 60n];
  if (seconds < 60n) return `${seconds}s`;
  const rest = `${minutes}m${seconds % 60n}s`;
  return hours === 0n ? rest : `${hours}h${rest}`;
}
