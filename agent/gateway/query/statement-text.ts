// A statement as influxd prints it in its own messages: key words in capitals, quotes only where they are needed, passwords gone.
// An approximation from its words: influxd also adds defaults and prints durations anew, which no program reads.
import { keywordOf, type Token } from '../../../shared/influx/influxql/token.js';
import { redact } from '../../influxd/redact.js';
import { tokensOf } from './tokens.js';

/** Nothing stands between these and what is before them. */
const CLINGS = new Set(['.', ',', ')', '::', ';']);
/** Nothing stands between these and what follows. */
const HOLDS = new Set(['.', '(', '::']);

export function printed(statement: string): string {
  let text = '';
  let before: Token | undefined;
  for (const token of tokensOf(statement)) {
    const isCall = token.kind === '(' && before?.kind === 'identifier';
    const isClose =
      before === undefined || CLINGS.has(token.kind) || HOLDS.has(before.kind) || isCall;
    text += `${isClose ? '' : ' '}${wordOf(token, statement)}`;
    before = token;
  }
  return redact(text);
}

function wordOf(token: Token, statement: string): string {
  const written = statement.slice(token.start, token.end);
  if (token.kind === 'identifier') return isPlain(token.value) ? token.value : written;
  return keywordOf(written) ?? written;
}

function isPlain(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && keywordOf(name) === undefined;
}
