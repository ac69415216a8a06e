// Writes a delete so that it means the same on every node and at any time: now() becomes the time it is, and bound parameters
// their values. It changes nothing else of the meaning, and touches no other statement.
import { constantOf } from './constant.js';
import type { Binary, Expression } from './expression.js';
import { isWritable, nameText, regexText, stringText } from './literal-text.js';
import { parseDeleteText } from './parse.js';
import type { Source } from './statement.js';
import { formatTimeLiteral } from './time-literal.js';
import { precedenceOf } from './token.js';

const INT64_MAX = 2n ** 63n - 1n;

/**
 * One DELETE, DROP SERIES or DROP MEASUREMENT; undefined for anything else, and for names and strings with a carriage return
 * (only a parameter can bring one), which InfluxQL has no way to write.
 */
export function resolveNow(
  text: string,
  nowNs: bigint,
  params: Readonly<Record<string, unknown>> = {},
): string | undefined {
  const parsed = parseDeleteText(text, params);
  if (parsed === undefined) return undefined;
  const { what, sources, condition } = parsed;
  const names = sources.map(sourceText).join(', ');
  if (what === 'drop-measurement') return written(`DROP MEASUREMENT ${names}`);
  const verb = what === 'delete' ? 'DELETE' : 'DROP SERIES';
  const from = names === '' ? '' : ` FROM ${names}`;
  const where = condition === undefined ? '' : ` WHERE ${expressionText(condition, nowNs)}`;
  return written(`${verb}${from}${where}`);
}

function written(text: string): string | undefined {
  return isWritable(text) ? text : undefined;
}

function sourceText(source: Source): string {
  return source.regex === undefined ? nameText(source.measurement ?? '') : regexText(source.regex);
}

function expressionText(expression: Expression, nowNs: bigint): string {
  const time = constantOf(expression, { nowNs, hasZone: false });
  const isTime = time?.kind === 'time' && time.ns <= INT64_MAX && time.ns >= -INT64_MAX;
  if (isTime && expression.kind !== 'string') return formatTimeLiteral(time.ns);
  switch (expression.kind) {
    case 'binary':
      return chainText(expression, nowNs);
    case 'paren':
      return `(${expressionText(expression.inner, nowNs)})`;
    case 'variable':
      return nameText(expression.name) + (expression.type === '' ? '' : `::${expression.type}`);
    case 'call':
      return `${expression.name}(${expression.args.map((one) => expressionText(one, nowNs)).join(', ')})`;
    case 'distinct':
      return `distinct ${nameText(expression.name)}`;
    case 'wildcard':
      return '*';
    case 'string':
      return stringText(expression.value);
    case 'number':
      return expression.text.includes('.') ? expression.text : `${expression.text}.0`;
    case 'integer':
      return expression.value.toString();
    case 'boolean':
      return String(expression.value);
    case 'duration':
      return `${expression.ns}ns`;
    case 'regex':
      return regexText(expression.pattern);
  }
}

/** From the left in a loop, because chains lean that way. */
function chainText(expression: Binary, nowNs: bigint): string {
  const steps: string[] = [];
  let node: Expression = expression;
  // A sum below a comparison may be a time as a whole.
  while (node.kind === 'binary' && isSum(node) === isSum(expression)) {
    const { operator, rhs } = node;
    const text = expressionText(rhs, nowNs);
    const isLoose = rhs.kind === 'binary' && precedenceOf(rhs.operator) <= precedenceOf(operator);
    steps.push(` ${operator} ${isLoose ? `(${text})` : text}`);
    node = node.lhs;
  }
  return expressionText(node, nowNs) + steps.reverse().join('');
}

function isSum(expression: Binary): boolean {
  return expression.operator === '+' || expression.operator === '-';
}
