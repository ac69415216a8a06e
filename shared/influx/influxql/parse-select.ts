// Reads SELECT, as far as it can be judged without knowing the data: influxd checks functions and their arguments later.
import { visit } from './expression.js';
import type { Expression } from './expression.js';
import {
  acceptAtOnce,
  parseList,
  parseNamed,
  parseOptionalGroupBy,
  parseOptionalLimits,
  parseOptionalOrderBy,
  parseOptionalWhere,
} from './parse-clauses.js';
import { parseExpression, parseRegex, parseSegments } from './parse-expression.js';
import type { From, Into, Select } from './select.js';
import { refuse } from './token-stream.js';
import type { TokenStream } from './token-stream.js';
import { isKnownZone } from './time-zone.js';

/** After the word SELECT. */
export function parseSelect(stream: TokenStream, mustHaveInto = false): Select {
  return stream.nested(() => {
    const fields = parseFields(stream);
    const into = parseInto(stream, mustHaveInto);
    stream.expect('FROM');
    const from = parseList(stream, () => parseFrom(stream));
    const condition = parseOptionalWhere(stream);
    const dimensions = parseOptionalGroupBy(stream);
    parseOptionalFill(stream);
    parseOptionalOrderBy(stream);
    parseOptionalLimits(stream, 'LIMIT', 'OFFSET', 'SLIMIT', 'SOFFSET');
    const hasZone = parseOptionalZone(stream);
    return { fields, from, condition, dimensions, into, hasZone };
  });
}

function parseFields(stream: TokenStream): Expression[] {
  const fields: Expression[] = [];
  do {
    const pattern = parseRegex(stream);
    fields.push(pattern === undefined ? parseField(stream) : { kind: 'regex', pattern });
    if (stream.accept('AS')) stream.expect('identifier');
    stream.skipSpace();
  } while (acceptAtOnce(stream, ','));
  return fields;
}

/** What is true or false has no place among the fields. */
function parseField(stream: TokenStream): Expression {
  const field = parseExpression(stream);
  visit(field, (part) => {
    if (part.kind === 'binary' && CONDITIONS.has(part.operator)) {
      throw refuse(`invalid operator ${part.operator} in SELECT clause`);
    }
  });
  return field;
}

const CONDITIONS: ReadonlySet<string> = new Set(
  ['=', '!=', '=~', '!~', '<', '<=', '>', '>=', 'AND', 'OR'], //
);

/** `[INTO [[database.]policy.]measurement]`, where the last may be `:MEASUREMENT`. */
function parseInto(stream: TokenStream, isRequired: boolean): Into | undefined {
  const word = stream.scanWord();
  if (word.kind !== 'INTO') {
    if (isRequired) throw stream.unexpected(word, 'INTO');
    stream.unscan();
    return undefined;
  }
  const segments: (string | undefined)[] = parseSegments(stream);
  if (segments.length < 3 && stream.peekCharacter() === ':') {
    stream.expect(':', 'MEASUREMENT');
    segments.push(undefined);
  }
  const end = stream.scanWord().start;
  stream.unscan();
  const measurement = segments.pop();
  const policy = segments.pop() ?? '';
  const database = segments.pop() ?? '';
  return { target: { database, policy, measurement, regex: undefined }, start: word.start, end };
}

function parseFrom(stream: TokenStream): From {
  const regex = parseRegex(stream);
  if (regex !== undefined) {
    const source = { database: '', policy: '', measurement: undefined, regex };
    return { kind: 'measurement', source };
  }
  if (stream.accept('(')) {
    stream.expect('SELECT');
    const select = parseSelect(stream);
    stream.expect(')');
    return { kind: 'subquery', select };
  }
  return { kind: 'measurement', source: parseNamed(stream) };
}

/** `[fill(null|none|previous|linear|number)]`. */
function parseOptionalFill(stream: TokenStream): void {
  const argument = parseOptionalCall(stream, 'fill');
  if (argument === undefined) return;
  const isOption =
    argument.kind === 'variable' &&
    argument.type === '' &&
    ['null', 'none', 'previous', 'linear'].includes(argument.name);
  const isNumber =
    argument.kind === 'number' || (argument.kind === 'integer' && argument.value < 2n ** 63n);
  if (!isOption && !isNumber) throw refuse('expected number argument in fill()');
}

/** `[tz('zone')]`. */
function parseOptionalZone(stream: TokenStream): boolean {
  const argument = parseOptionalCall(stream, 'tz');
  if (argument === undefined) return false;
  if (argument.kind !== 'string') throw refuse('expected string argument in tz()');
  if (!isKnownZone(argument.value)) throw refuse('unable to find the time zone of tz()');
  return true;
}

/** The one argument of a call of that name, if the next word is that name. */
function parseOptionalCall(stream: TokenStream, name: string): Expression | undefined {
  const word = stream.scanWord();
  stream.unscan();
  if (word.kind !== 'identifier' || word.value.toLowerCase() !== name) return undefined;
  const call = parseExpression(stream);
  const [argument, ...more] = call.kind === 'call' ? call.args : [];
  if (argument === undefined || more.length > 0) {
    throw refuse(`${name} must be a function call with one argument`);
  }
  return argument;
}
