// The front door: cuts a query into statements and says of each what it is. Accepts what influxd 1.6.7 accepts, refuses
// what it refuses; it executes nothing and knows no databases.
import { AppError } from '../../errors/app-error.js';
import { boundsOf, boundsOfSelect } from './bounds.js';
import { parseDelete, parseDropData } from './parse-delete.js';
import type { Delete } from './parse-delete.js';
import {
  parseAlter,
  parseCreate,
  parseDrop,
  parseGrant,
  parseSetPassword,
  parseUnsigned,
} from './parse-schema.js';
import type { SchemaChange } from './parse-schema.js';
import { parseSelect } from './parse-select.js';
import { parseShow } from './parse-show.js';
import type { Show } from './parse-show.js';
import { ADMIN, forSelect } from './privileges.js';
import { intervalOf, sourcesOf } from './select.js';
import type { Select } from './select.js';
import type { ParsedQuery, RequiredPrivilege, Statement } from './statement.js';
import { TokenStream } from './token-stream.js';

/** What a statement was read as. */
type Node =
  | { readonly kind: 'select'; readonly select: Select }
  | { readonly kind: 'explain'; readonly isAnalyze: boolean; readonly select: Select }
  | {
      readonly kind: 'kill';
      readonly query: bigint;
      readonly host: string;
      readonly privileges: readonly RequiredPrivilege[];
    }
  | Show
  | SchemaChange
  | Delete;

interface Part {
  readonly node: Node;
  /** Where it is in the text. */
  readonly start: number;
  readonly end: number;
}

/**
 * `params`: the JSON of the parameter `params`. `nowNs`: what now() is taken for in time bounds, with a day to spare on both
 * sides; without it a bound by now() stays open. Never throws.
 */
export function parseQuery(
  text: string,
  params: Readonly<Record<string, unknown>> = {},
  nowNs?: bigint,
): ParsedQuery {
  const parts = parseParts(text, params);
  if (!Array.isArray(parts)) return parts;
  const statements = parts.map((part) => statementOf(part, text, nowNs));
  return { kind: 'parsed', statements };
}

/** The delete that a text consists of; undefined where it is anything else. */
export function parseDeleteText(
  text: string,
  params: Readonly<Record<string, unknown>> = {},
): Delete | undefined {
  const parts = parseParts(text, params);
  const [part] = Array.isArray(parts) && parts.length === 1 ? parts : [];
  return part?.node.kind === 'delete' ? part.node : undefined;
}

function parseParts(
  text: string,
  params: Readonly<Record<string, unknown>>,
): Part[] | Extract<ParsedQuery, { kind: 'unparsable' }> {
  // influxd takes NUL for the end of the text here and for a blank there: nobody means it, and guessing is dangerous.
  if (text.includes('\0')) {
    return { kind: 'unparsable', why: 'the query has a NUL character', isOurLimit: true };
  }
  const stream = new TokenStream(text, params);
  try {
    return readParts(stream);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'statement-unparsable') throw error;
    const limit = stream.isOverLimit ? { isOurLimit: true } : {};
    return { kind: 'unparsable', why: error.message, ...limit };
  }
}

function readParts(stream: TokenStream): Part[] {
  const parts: Part[] = [];
  for (;;) {
    const first = stream.scanWord();
    if (first.kind === 'end') return parts;
    if (first.kind === ';') continue;
    stream.unscan();
    const node = readNode(stream);
    const after = stream.scanWord();
    if (after.kind !== ';' && after.kind !== 'end') throw stream.unexpected(after, ';');
    parts.push({ node, start: first.start, end: after.start });
    if (after.kind === 'end') return parts;
  }
}

function readNode(stream: TokenStream): Node {
  const word = stream.scanWord();
  switch (word.kind as string) {
    case 'SELECT':
      return { kind: 'select', select: parseSelect(stream) };
    case 'EXPLAIN': {
      const isAnalyze = stream.accept('ANALYZE');
      stream.expect('SELECT');
      return { kind: 'explain', isAnalyze, select: parseSelect(stream) };
    }
    case 'SHOW':
      return parseShow(stream);
    case 'DELETE':
      return parseDelete(stream);
    case 'DROP':
      return parseDrop(stream) ?? parseDropData(stream);
    case 'CREATE':
      return parseCreate(stream);
    case 'ALTER':
      return parseAlter(stream);
    case 'GRANT':
    case 'REVOKE':
      return parseGrant(stream, word.kind === 'GRANT' ? 'GRANT' : 'REVOKE');
    case 'SET':
      return parseSetPassword(stream);
    case 'KILL': {
      stream.expect('QUERY');
      const query = parseUnsigned(stream);
      const host = stream.accept('ON') ? stream.expect('identifier').value : '';
      return { kind: 'kill', query, host, privileges: ADMIN };
    }
    default:
      throw stream.unexpected(word, 'a statement');
  }
}

function statementOf(part: Part, whole: string, nowNs: bigint | undefined): Statement {
  const { node } = part;
  const text = whole.slice(part.start, part.end).trimEnd();
  if (node.kind === 'select') return selectOf(node.select, part, whole, nowNs);
  if (node.kind === 'explain') {
    const { select, isAnalyze } = node;
    return { text, kind: 'explain', isAnalyze, ...readingOf(select, nowNs) };
  }
  if (node.kind === 'show-data') {
    const { condition, ...shown } = node;
    return { text, ...shown, bounds: boundsOf(condition, { nowNs, hasZone: false }) };
  }
  if (node.kind === 'delete') {
    return { text, kind: 'delete', what: node.what, database: '', privileges: node.privileges };
  }
  return { text, ...node };
}

function selectOf(select: Select, part: Part, whole: string, nowNs: bigint | undefined): Statement {
  const text = whole.slice(part.start, part.end).trimEnd();
  const { into } = select;
  if (into === undefined) return { text, kind: 'select', ...readingOf(select, nowNs) };
  const without = `${whole.slice(part.start, into.start)} ${whole.slice(into.end, part.end)}`;
  return {
    text,
    kind: 'into',
    ...readingOf(select, nowNs),
    select: without.trimEnd(),
    target: into.target,
    isGroupedByTime: intervalOf(select) !== undefined,
  };
}

function readingOf(select: Select, nowNs: bigint | undefined) {
  return {
    privileges: forSelect(select),
    sources: sourcesOf(select.from),
    bounds: boundsOfSelect(select, nowNs),
  };
}
