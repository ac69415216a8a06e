// The text of a continuous query as influxd stores it, read as far as needed to run it safely: which query it creates, and
// whether it is one statement. The query itself is never parsed or changed.

export interface QueryHead {
  readonly name: string;
  readonly database: string;
}

const IDENTIFIER = String.raw`("(?:[^"\\\n]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*)`;
const HEAD = new RegExp(
  String.raw`^\s*CREATE\s+CONTINUOUS\s+QUERY\s+${IDENTIFIER}\s+ON\s+${IDENTIFIER}\s+(?:RESAMPLE|BEGIN)\b`,
  'i',
);

/** Name and database of `CREATE CONTINUOUS QUERY name ON database …`; undefined for another text. */
export function readQueryHead(text: string): QueryHead | undefined {
  const match = HEAD.exec(text);
  if (!match) return undefined;
  return { name: unquote(match[1] ?? ''), database: unquote(match[2] ?? '') };
}

/** What tells statements apart, and what can hide that: quoted text first, because the rest has no meaning within it. */
const MARKS = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|;|\/|--/gs;

/**
 * False where the text could hold a second statement. A semicolon inside quotes is fine; after a slash or a comment sign
 * outside of quotes (regular expressions and comments can hide quotes) any semicolon is doubted.
 */
export function isSingleStatement(text: string): boolean {
  for (const { 0: mark, index } of text.matchAll(MARKS)) {
    if (mark === ';') return false;
    if (mark === '/' || mark === '--') return !text.slice(index).includes(';');
  }
  return true;
}

/** The name that an identifier stands for, quoted or bare. */
export function unquote(identifier: string): string {
  if (!identifier.startsWith('"')) return identifier;
  return identifier
    .slice(1, -1)
    .replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}
