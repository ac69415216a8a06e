// Reads what deletes points: DELETE, DROP SERIES, DROP MEASUREMENT. They act on every policy of the request's database.
import type { Expression } from './expression.js';
import { parseOptionalFrom, parseOptionalWhere } from './parse-clauses.js';
import { ADMIN, writes } from './privileges.js';
import type { RequiredPrivilege, Source } from './statement.js';
import { refuse } from './token-stream.js';
import type { TokenStream } from './token-stream.js';

export interface Delete {
  readonly kind: 'delete';
  readonly what: 'delete' | 'drop-series' | 'drop-measurement';
  /** Empty: all measurements. */
  readonly sources: readonly Source[];
  readonly condition: Expression | undefined;
  readonly privileges: readonly RequiredPrivilege[];
}

/** After the word DELETE. */
export function parseDelete(stream: TokenStream): Delete {
  return parseFromWhere(stream, 'delete');
}

/** After the word DROP: SERIES or MEASUREMENT. */
export function parseDropData(stream: TokenStream): Delete {
  const word = stream.scanWord();
  if (word.kind === 'SERIES') return parseFromWhere(stream, 'drop-series');
  if (word.kind !== 'MEASUREMENT') throw stream.unexpected(word, 'what to drop');
  const measurement = stream.expect('identifier').value;
  return {
    kind: 'delete',
    what: 'drop-measurement',
    sources: [{ database: '', policy: '', measurement, regex: undefined }],
    condition: undefined,
    privileges: ADMIN,
  };
}

/** `[FROM measurements] [WHERE condition]`, of which one at least. */
function parseFromWhere(stream: TokenStream, what: 'delete' | 'drop-series'): Delete {
  const sources = parseOptionalFrom(stream);
  const condition = parseOptionalWhere(stream);
  if (sources.some((source) => source.database !== '')) throw refuse('database not supported');
  if (sources.some((source) => source.policy !== '')) {
    throw refuse('retention policy not supported');
  }
  // Every node compiles them, for each hint that it replays later.
  if (stream.isRegexUnchecked) {
    throw stream.overLimit('the regular expressions of the delete are too long to be matched');
  }
  if (sources.length === 0 && condition === undefined) {
    throw stream.unexpected(stream.scanWord(), 'FROM or WHERE');
  }
  return { kind: 'delete', what, sources, condition, privileges: writes('') };
}
