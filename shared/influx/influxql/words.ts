// The words of a statement that was parsed already, with its regular expressions as one word each. For looking at, and cutting,
// text that is known to be sound; it judges nothing.
import { Scanner } from './scanner.js';
import type { Token, TokenKind } from './token.js';

/** After these a slash divides; after everything else it begins a regular expression. */
const VALUES: ReadonlySet<TokenKind> = new Set<TokenKind>([
  'identifier',
  'number',
  'integer',
  'duration',
  'string',
  'parameter',
  ')',
  '*',
]);

/** Without white space and comments. */
export function wordsOf(text: string): Token[] {
  const scanner = new Scanner(text);
  const tokens: Token[] = [];
  let end = 0;
  for (;;) {
    const before = tokens.at(-1)?.kind;
    const isRegex =
      scanner.peek() === '/' &&
      text.charAt(end + 1) !== '*' &&
      (before === undefined || !VALUES.has(before));
    const token = isRegex ? scanner.scanRegex() : scanner.scan();
    if (token.kind === 'end' || token.kind === 'illegal' || token.kind === 'bad-regex')
      return tokens;
    end = token.end;
    if (token.kind !== 'space' && token.kind !== 'comment') tokens.push(token);
  }
}
