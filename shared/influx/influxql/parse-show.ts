// Reads SHOW. Each form has its own clauses, in a fixed order; what influxd does not know there it refuses, and so do we.
import type { Expression } from './expression.js';
import {
  parseList,
  parseMeasurement,
  parseOptionalFrom,
  parseOptionalGroupBy,
  parseOptionalLimits,
  parseOptionalOn,
  parseOptionalOrderBy,
  parseOptionalWhere,
} from './parse-clauses.js';
import { parseRegex } from './parse-expression.js';
import type { RequiredPrivilege, Source } from './statement.js';
import { ADMIN, NOTHING, reads, readsEach } from './privileges.js';
import type { TokenStream } from './token-stream.js';

export type Show =
  | {
      readonly kind: 'show-data';
      readonly what: string;
      readonly database: string;
      readonly sources: readonly Source[];
      readonly condition: Expression | undefined;
      readonly privileges: readonly RequiredPrivilege[];
    }
  | {
      readonly kind: 'show-metadata';
      readonly what: string;
      readonly database: string;
      readonly privileges: readonly RequiredPrivilege[];
    }
  | {
      readonly kind: 'show-server';
      readonly what: string;
      readonly privileges: readonly RequiredPrivilege[];
    };

/** After the word SHOW. */
export function parseShow(stream: TokenStream): Show {
  const word = stream.scanWord();
  switch (word.kind as string) {
    case 'CONTINUOUS':
      stream.expect('QUERIES');
      return metadata('continuous-queries', '', reads(''));
    case 'DATABASES':
      return metadata('databases', '', NOTHING);
    case 'GRANTS':
      stream.expect('FOR', 'identifier');
      return metadata('grants', '', ADMIN);
    case 'RETENTION': {
      stream.expect('POLICIES');
      const database = parseOptionalOn(stream);
      return metadata('retention-policies', database, reads(database));
    }
    case 'SHARD':
      stream.expect('GROUPS');
      return metadata('shard-groups', '', ADMIN);
    case 'SHARDS':
      return metadata('shards', '', ADMIN);
    case 'SUBSCRIPTIONS':
      return metadata('subscriptions', '', ADMIN);
    case 'USERS':
      return metadata('users', '', ADMIN);
    case 'DIAGNOSTICS':
    case 'STATS':
      if (stream.accept('FOR')) stream.expect('string');
      return { kind: 'show-server', what: word.kind.toLowerCase(), privileges: ADMIN };
    case 'QUERIES':
      return { kind: 'show-server', what: 'queries', privileges: reads('') };
    case 'FIELD':
      return parseFieldKeys(stream);
    case 'MEASUREMENT':
      return parseCardinality(stream, 'measurement');
    case 'MEASUREMENTS':
      return parseMeasurements(stream);
    case 'SERIES':
      return parseSeries(stream);
    case 'TAG':
      return parseTags(stream);
    default:
      throw stream.unexpected(word, 'what to show');
  }
}

function metadata(what: string, database: string, privileges: readonly RequiredPrivilege[]): Show {
  return { kind: 'show-metadata', what, database, privileges };
}

function parseFieldKeys(stream: TokenStream): Show {
  if (stream.accept('KEY')) return parseCardinality(stream, 'field-key');
  stream.expect('KEYS');
  const database = parseOptionalOn(stream);
  const sources = parseOptionalFrom(stream);
  return data('field-keys', database, sources, parseTail(stream, false));
}

function parseMeasurements(stream: TokenStream): Show {
  const database = parseOptionalOn(stream);
  const sources: Source[] = [];
  if (stream.accept('WITH')) {
    stream.expect('MEASUREMENT');
    const operator = stream.scanWord();
    if (operator.kind !== '=' && operator.kind !== '=~') {
      throw stream.unexpected(operator, '= or =~');
    }
    sources.push(parseMeasurement(stream));
  }
  return data('measurements', database, sources, parseTail(stream, true));
}

function parseSeries(stream: TokenStream): Show {
  const isExact = stream.accept('EXACT');
  if (stream.accept('CARDINALITY')) return parseCardinalityTail(stream, 'series', isExact);
  // SHOW SERIES EXACT without CARDINALITY is SHOW SERIES: influxd forgets the word.
  const database = parseOptionalOn(stream);
  const sources = parseOptionalFrom(stream);
  return data('series', database, sources, parseTail(stream, true));
}

function parseTags(stream: TokenStream): Show {
  const word = stream.scanWord();
  if (word.kind === 'KEY') return parseCardinality(stream, 'tag-key');
  if (word.kind === 'KEYS') {
    const database = parseOptionalOn(stream);
    const sources = parseOptionalFrom(stream);
    return data('tag-keys', database, sources, parseTail(stream, true, 'SLIMIT', 'SOFFSET'));
  }
  if (word.kind !== 'VALUES') throw stream.unexpected(word, 'KEY, KEYS or VALUES');
  if (stream.accept('EXACT')) {
    stream.expect('CARDINALITY');
    return parseCardinalityTail(stream, 'tag-values', true);
  }
  if (stream.accept('CARDINALITY')) return parseCardinalityTail(stream, 'tag-values', false);
  const database = parseOptionalOn(stream);
  const sources = parseOptionalFrom(stream);
  parseWithKey(stream);
  return data('tag-values', database, sources, parseTail(stream, true));
}

/** `WITH KEY = tag`, `!= tag`, `=~ /re/`, `!~ /re/`, `IN (tag, ...)`. */
function parseWithKey(stream: TokenStream): void {
  stream.expect('WITH', 'KEY');
  const operator = stream.scanWord();
  switch (operator.kind as string) {
    case 'IN':
      stream.expect('(');
      parseList(stream, () => stream.expect('identifier'));
      stream.expect(')');
      return;
    case '=':
    case '!=':
      stream.expect('identifier');
      return;
    case '=~':
    case '!~':
      if (parseRegex(stream) === undefined) {
        throw stream.unexpected(stream.scanWord(), 'a regular expression');
      }
      return;
    default:
      throw stream.unexpected(operator, 'IN, =, or =~');
  }
}

/** `[WHERE ...] [ORDER BY ...] [LIMIT n] [OFFSET n]`. */
function parseTail(
  stream: TokenStream,
  hasWhere: boolean,
  ...more: readonly ('SLIMIT' | 'SOFFSET')[]
): Expression | undefined {
  const condition = hasWhere ? parseOptionalWhere(stream) : undefined;
  parseOptionalOrderBy(stream);
  parseOptionalLimits(stream, 'LIMIT', 'OFFSET', ...more);
  return condition;
}

/** `[EXACT] CARDINALITY ...`. */
function parseCardinality(stream: TokenStream, of: string): Show {
  const isExact = stream.accept('EXACT');
  stream.expect('CARDINALITY');
  return parseCardinalityTail(stream, of, isExact);
}

/** After the word CARDINALITY. An exact count, and any count of keys or values, needs its sources' databases alone. */
function parseCardinalityTail(stream: TokenStream, of: string, isExact: boolean): Show {
  const database = parseOptionalOn(stream);
  const sources = parseOptionalFrom(stream);
  if (of === 'tag-values') parseWithKey(stream);
  const condition = parseOptionalWhere(stream);
  parseOptionalGroupBy(stream);
  parseOptionalLimits(stream, 'LIMIT', 'OFFSET');
  const isEstimate = !isExact && (of === 'series' || of === 'measurement');
  const privileges = isEstimate ? reads(database) : readsEach(sources);
  const what = isExact ? `${of}-exact-cardinality` : `${of}-cardinality`;
  return { kind: 'show-data', what, database, sources, condition, privileges };
}

function data(
  what: string,
  database: string,
  sources: readonly Source[],
  condition: Expression | undefined,
): Show {
  return { kind: 'show-data', what, database, sources, condition, privileges: reads(database) };
}
