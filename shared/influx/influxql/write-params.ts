// Writes the values of bound parameters into a statement, for one that goes on as text alone: to be numbered, or to be run on a
// server that is not asked with the client's parameters. It changes nothing else.
import { bindValue } from './bound-params.js';
import { isWritable, nameText, regexText, stringText } from './literal-text.js';
import { parseQuery } from './parse.js';
import type { TokenKind } from './token.js';
import { wordsOf } from './words.js';

/**
 * `statement`: one that parses with these parameters. Undefined where a value can't be written: a string with a carriage return,
 * or a number below zero behind a minus.
 */
export function withParams(
  statement: string,
  params: Readonly<Record<string, unknown>>,
): string | undefined {
  let text = '';
  let end = 0;
  for (const word of wordsOf(statement)) {
    if (word.kind !== 'parameter') continue;
    const literal = Object.hasOwn(params, word.value) ? literalOf(params[word.value]) : undefined;
    if (literal === undefined) return undefined;
    // Blanks, because two words may stand side by side only where one of them is a parameter.
    text += `${statement.slice(end, word.start)} ${literal} `;
    end = word.end;
  }
  if (end === 0) return statement;
  text = (text + statement.slice(end)).trimEnd();
  const parsed = isWritable(text) ? parseQuery(text) : undefined;
  return parsed?.kind === 'parsed' && parsed.statements.length === 1 ? text : undefined;
}

function literalOf(value: unknown): string | undefined {
  const bound = bindValue(value);
  return bound.kind === 'unusable' ? undefined : LITERALS.get(bound.kind)?.(bound.value);
}

const LITERALS: ReadonlyMap<TokenKind, (value: string) => string> = new Map<
  TokenKind,
  (value: string) => string
>([
  ['identifier', nameText],
  ['string', stringText],
  ['regex', regexText],
  // With a point it stays a number that is no integer.
  ['number', (value) => (value.includes('.') ? value : `${value}.0`)],
  ['integer', (value) => value],
  ['duration', (value) => value],
  ['TRUE', () => 'true'],
  ['FALSE', () => 'false'],
]);
