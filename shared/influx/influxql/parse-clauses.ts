// Clauses that several statements share: FROM, WHERE, GROUP BY, ORDER BY, LIMIT and so on.
import type { Expression } from './expression.js';
import { parseExpression, parseRegex, parseSegments } from './parse-expression.js';
import type { Source } from './statement.js';
import { refuse } from './token-stream.js';
import type { TokenStream } from './token-stream.js';
import type { TokenKind } from './token.js';

/** `[FROM measurements]`, without subqueries. */
export function parseOptionalFrom(stream: TokenStream): Source[] {
  return stream.accept('FROM') ? parseList(stream, () => parseMeasurement(stream)) : [];
}

/** `[ON database]`; '' where it is not there. */
export function parseOptionalOn(stream: TokenStream): string {
  return stream.accept('ON') ? stream.expect('identifier').value : '';
}

/** One or more, with commas between. */
export function parseList<T>(stream: TokenStream, parse: () => T): T[] {
  const items = [parse()];
  while (stream.accept(',')) items.push(parse());
  return items;
}

/** A name with up to two names before it, or a regular expression with up to two. */
export function parseMeasurement(stream: TokenStream): Source {
  const regex = parseRegex(stream);
  return regex === undefined ? parseNamed(stream) : source('', '', undefined, regex);
}

/** A measurement that does not begin with a regular expression. */
export function parseNamed(stream: TokenStream): Source {
  const segments = parseSegments(stream);
  const [first = '', second = '', third] = segments;
  if (third !== undefined) return source(first, second, third, undefined);
  const pattern = parseRegex(stream);
  if (pattern !== undefined) {
    return segments.length === 1
      ? source('', first, undefined, pattern)
      : source(first, second, undefined, pattern);
  }
  return segments.length === 1
    ? source('', '', first, undefined)
    : source('', first, second, undefined);
}

function source(
  database: string,
  policy: string,
  measurement: string | undefined,
  regex: string | undefined,
): Source {
  return { database, policy, measurement, regex };
}

/** `[WHERE expression]`. */
export function parseOptionalWhere(stream: TokenStream): Expression | undefined {
  return stream.accept('WHERE') ? parseExpression(stream) : undefined;
}

/** `[GROUP BY expressions]`. */
export function parseOptionalGroupBy(stream: TokenStream): Expression[] {
  if (!stream.accept('GROUP')) return [];
  stream.expect('BY');
  const dimensions: Expression[] = [];
  do {
    const pattern = parseRegex(stream);
    if (pattern === undefined) {
      dimensions.push(parseExpression(stream));
      stream.skipSpace();
    } else {
      dimensions.push({ kind: 'regex', pattern });
    }
  } while (acceptAtOnce(stream, ','));
  return dimensions;
}

/** As `accept`, but not past white space or a comment. */
export function acceptAtOnce(stream: TokenStream, kind: TokenKind): boolean {
  if (stream.scan().kind === kind) return true;
  stream.unscan();
  return false;
}

/** `[ORDER BY time [ASC|DESC] | ASC | DESC]`: influxd sorts by nothing else. */
export function parseOptionalOrderBy(stream: TokenStream): void {
  if (!stream.accept('ORDER')) return;
  stream.expect('BY');
  const first = stream.scanWord();
  if (first.kind === 'identifier') {
    if (first.value !== 'time') throw refuse('only ORDER BY time supported at this time');
    if (!stream.accept('ASC')) stream.accept('DESC');
  } else if (first.kind !== 'ASC' && first.kind !== 'DESC') {
    throw stream.unexpected(first, 'identifier, ASC or DESC');
  }
  if (stream.accept(',')) throw refuse('only ORDER BY time supported at this time');
}

/** `[LIMIT n] [OFFSET n]` and so on, in that order. */
export function parseOptionalLimits(stream: TokenStream, ...kinds: readonly TokenKind[]): void {
  for (const kind of kinds) {
    if (!stream.accept(kind)) continue;
    if (stream.expect('integer').value.startsWith('-')) throw refuse(`${kind} must be >= 0`);
  }
}
