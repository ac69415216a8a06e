// Reads expressions by operator precedence. Refuses what influxd's parser refuses: a regular expression that Go can't
// compile, integers beyond 64 bits, parameters that are missing.
import { RE2JS } from 're2js';
import { parseDuration } from './duration.js';
import type { Binary, Expression } from './expression.js';
import { refuse } from './token-stream.js';
import type { TokenStream } from './token-stream.js';
import { isOperator, precedenceOf } from './token.js';
import type { Operator, Token } from './token.js';

const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

const FIELD_TYPES: ReadonlySet<string> = new Set(
  ['float', 'integer', 'unsigned', 'string', 'boolean'], //
);

/** Identifiers joined by points: at most three. An empty one in the middle is `db..measurement`. */
const MAX_SEGMENTS = 3;

export function parseExpression(stream: TokenStream): Expression {
  return stream.nested(() => {
    const root: { rhs: Expression } = { rhs: parseOperand(stream) };
    for (;;) {
      const operator = stream.scanWord().kind;
      if (!isOperator(operator)) {
        stream.unscan();
        return root.rhs;
      }
      attach(root, operator, parseRight(stream, operator));
    }
  });
}

/** The pattern of a regular expression, compiled once to see whether Go would. */
export function parseRegex(stream: TokenStream): string | undefined {
  const token = stream.regex();
  if (token === undefined) return undefined;
  checkRegex(stream, token);
  return token.value;
}

/** `a`, `a.b`, `a.b.c`, `a..c`; ends before a `/` or `:` that follows a point. */
export function parseSegments(stream: TokenStream): string[] {
  const segments = [stream.expect('identifier').value];
  while (stream.scan().kind === '.') {
    const character = stream.peekCharacter();
    if (character === '/' || character === ':') return checkSegments(segments);
    segments.push(character === '.' ? '' : stream.expect('identifier').value);
  }
  stream.unscan();
  return checkSegments(segments);
}

function checkSegments(segments: string[]): string[] {
  if (segments.length > MAX_SEGMENTS) throw refuse('too many segments in a name');
  return segments;
}

function checkRegex(stream: TokenStream, token: Token): void {
  if (!stream.affords(token.value)) return;
  try {
    RE2JS.compile(token.value);
  } catch {
    // Whatever it says, the pattern is not one; influxd tells the client why.
    throw refuse(`the regular expression at character ${token.start + 1} is invalid`);
  }
}

/** Adds `operator rhs` where precedence wants it: down the right side, which is at most as deep as there are levels. */
function attach(root: { rhs: Expression }, operator: Operator, rhs: Expression): void {
  let node = root;
  while (node.rhs.kind === 'binary' && precedenceOf(node.rhs.operator) < precedenceOf(operator)) {
    node = node.rhs;
  }
  const added: Binary = { kind: 'binary', operator, lhs: node.rhs, rhs };
  node.rhs = added;
}

function parseRight(stream: TokenStream, operator: Operator): Expression {
  if (operator !== '=~' && operator !== '!~') return parseOperand(stream);
  const pattern = parseRegex(stream);
  if (pattern === undefined) throw stream.unexpected(stream.scanWord(), 'a regular expression');
  return { kind: 'regex', pattern };
}

function parseOperand(stream: TokenStream): Expression {
  const token = stream.scanWord();
  switch (token.kind as string) {
    case '(': {
      const inner = parseExpression(stream);
      stream.expect(')');
      return { kind: 'paren', inner };
    }
    case 'identifier':
      return parseName(stream, token);
    case 'DISTINCT':
      return parseDistinct(stream);
    case '*':
      return parseWildcard(stream);
    case '+':
    case '-':
      return parseSigned(stream, token.kind === '-');
    default:
      return parseLiteral(stream, token);
  }
}

function parseLiteral(stream: TokenStream, token: Token): Expression {
  switch (token.kind as string) {
    case 'string':
      return { kind: 'string', value: token.value };
    case 'number':
      return { kind: 'number', text: token.value };
    case 'integer':
      return parseInteger(token);
    case 'TRUE':
    case 'FALSE':
      return { kind: 'boolean', value: token.kind === 'TRUE' };
    case 'duration': {
      const ns = parseDuration(token.value);
      if (ns === undefined) throw refuse(`${token.value.slice(0, 50)} is no valid duration`);
      return { kind: 'duration', ns };
    }
    case 'regex':
      checkRegex(stream, token);
      return { kind: 'regex', pattern: token.value };
    case 'parameter':
      throw refuse(`the bound parameter $${token.value} is missing or can't be used`);
    default:
      throw stream.unexpected(token, 'identifier, string, number or bool');
  }
}

function parseInteger(token: Token): Expression {
  const value = BigInt(token.value);
  if (value > UINT64_MAX) throw refuse(`${token.value.slice(0, 50)} does not fit into 64 bits`);
  return { kind: 'integer', value };
}

/** A function call where a parenthesis follows at once, a variable otherwise. */
function parseName(stream: TokenStream, name: Token): Expression {
  if (stream.scan().kind === '(') return parseCall(stream, name.value);
  stream.unscan();
  stream.unscan();
  const segments = parseSegments(stream);
  return { kind: 'variable', name: segments.join('.'), type: parseType(stream) };
}

/** `::float`, `::tag` and so on. */
function parseType(stream: TokenStream): string {
  if (stream.scan().kind !== '::') {
    stream.unscan();
    return '';
  }
  const token = stream.scan();
  if (token.kind === 'FIELD' || token.kind === 'TAG') return token.kind.toLowerCase();
  const type = token.value.toLowerCase();
  if (token.kind === 'identifier' && FIELD_TYPES.has(type)) return type;
  throw stream.unexpected(token, 'a data type');
}

function parseDistinct(stream: TokenStream): Expression {
  const next = stream.scan();
  if (next.kind === '(') return parseCall(stream, 'distinct');
  if (next.kind === 'space') return { kind: 'distinct', name: stream.expect('identifier').value };
  throw stream.unexpected(next, '( or identifier');
}

function parseWildcard(stream: TokenStream): Expression {
  if (stream.scan().kind !== '::') {
    stream.unscan();
    return { kind: 'wildcard' };
  }
  const type = stream.scan();
  if (type.kind !== 'FIELD' && type.kind !== 'TAG') {
    throw stream.unexpected(type, 'field or tag');
  }
  return { kind: 'wildcard' };
}

/** A sign belongs to a literal, and multiplies anything else by 1 or -1. */
function parseSigned(stream: TokenStream, isNegative: boolean): Expression {
  const next = stream.scanWord();
  if (!['number', 'integer', 'duration', '(', 'identifier'].includes(next.kind)) {
    throw stream.unexpected(next, 'identifier, number, duration or (');
  }
  stream.unscan();
  const operand = parseOperand(stream);
  const factor = isNegative ? -1n : 1n;
  if (operand.kind === 'number') {
    return { kind: 'number', text: isNegative ? negated(operand.text) : operand.text };
  }
  if (operand.kind === 'integer') return signedInteger(operand.value * factor);
  if (operand.kind === 'duration') return { kind: 'duration', ns: operand.ns * factor };
  return { kind: 'binary', operator: '*', lhs: { kind: 'integer', value: factor }, rhs: operand };
}

/** A bound parameter may bring a minus of its own. */
function negated(text: string): string {
  return text.startsWith('-') ? text.slice(1) : `-${text}`;
}

function signedInteger(value: bigint): Expression {
  if (value < -INT64_MAX - 1n) throw refuse(`constant ${value} underflows int64`);
  return { kind: 'integer', value };
}

function parseCall(stream: TokenStream, name: string): Expression {
  const args: Expression[] = [];
  const first = parseRegex(stream);
  if (first === undefined) {
    if (stream.scan().kind === ')') return { kind: 'call', name: name.toLowerCase(), args };
    stream.unscan();
    args.push(parseExpression(stream));
  } else {
    args.push({ kind: 'regex', pattern: first });
  }
  while (stream.accept(',')) {
    const pattern = parseRegex(stream);
    args.push(pattern === undefined ? parseExpression(stream) : { kind: 'regex', pattern });
  }
  const close = stream.scan();
  if (close.kind !== ')') throw stream.unexpected(close, ')');
  return { kind: 'call', name: name.toLowerCase(), args };
}
