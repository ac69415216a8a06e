// What a SELECT has to be, and how its columns are to be read, for SELECT ... INTO to write the same points as influxd, which
// treats three things differently where there is a target. Works on text that was parsed already.
import type { Token } from '../../../shared/influx/influxql/token.js';
import { wordsOf } from '../../../shared/influx/influxql/words.js';

/** Clauses that may follow GROUP BY and fill(). */
const AFTER_FILL = new Set(['ORDER', 'LIMIT', 'OFFSET', 'SLIMIT', 'SOFFSET']);

/**
 * With a target influxd writes no empty windows of GROUP BY time(...), also where fill(null) stands there: count() would be 0 in
 * them otherwise. Other fills stay. `select`: grouped by time in its outermost part.
 */
export function withoutEmptyWindows(select: string): string {
  const outer = outerTokens(select);
  const group = outer.findLastIndex(({ kind }) => kind === 'GROUP');
  const tail = outer.slice(group + 1);
  const fill = tail.findIndex(
    (token, at) => isNamed(token, 'fill') && tail[at + 1]?.kind === '(' && at > 0,
  );
  const open = tail[fill + 1];
  if (fill >= 0 && open !== undefined) {
    const close = select.indexOf(')', open.end);
    const argument = select.slice(open.end, close).trim().toLowerCase();
    return argument === 'null' ? `${select.slice(0, open.end)}none${select.slice(close)}` : select;
  }
  const next = tail.find(
    (token, at) =>
      AFTER_FILL.has(token.kind) || (isNamed(token, 'tz') && tail[at + 1]?.kind === '('),
  );
  const end = next?.start ?? tail.at(-1)?.end ?? select.length;
  return `${select.slice(0, end)} fill(none) ${select.slice(end)}`;
}

/** The names between the field and the number in top(field, name, ..., n) and bottom(...): influxd writes tags of them as tags. */
export function selectorArguments(select: string): string[] {
  const tokens = wordsOf(select);
  const names: string[] = [];
  for (const [index, token] of tokens.entries()) {
    const isSelector = isNamed(token, 'top') || isNamed(token, 'bottom');
    if (!isSelector || tokens[index + 1]?.kind !== '(') continue;
    const end = tokens.findIndex((one, at) => at > index && one.kind === ')');
    const inner = tokens.slice(index + 2, end < 0 ? undefined : end);
    const firstComma = inner.findIndex((one) => one.kind === ',');
    const rest = firstComma < 0 ? [] : inner.slice(firstComma + 1);
    names.push(...rest.filter((one) => one.kind === 'identifier').map((one) => one.value));
  }
  return names;
}

/** Those outside of all parentheses, and the opening ones. */
function outerTokens(text: string): Token[] {
  let depth = 0;
  const outer: Token[] = [];
  for (const token of wordsOf(text)) {
    if (token.kind === ')') depth -= 1;
    if (depth === 0) outer.push(token);
    if (token.kind === '(') depth += 1;
  }
  return outer;
}

function isNamed({ kind, value }: Token, name: string): boolean {
  return kind === 'identifier' && value.toLowerCase() === name;
}
