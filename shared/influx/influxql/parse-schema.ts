// Reads the statements that change metadata and users: CREATE, ALTER, DROP (but of data), GRANT, REVOKE, SET PASSWORD.
import { parseDuration } from './duration.js';
import { visit } from './expression.js';
import type { Expression } from './expression.js';
import { parseList } from './parse-clauses.js';
import { parseSelect } from './parse-select.js';
import { ADMIN, reads, writes } from './privileges.js';
import { intervalOf } from './select.js';
import type { Statement } from './statement.js';
import { refuse } from './token-stream.js';
import type { TokenStream } from './token-stream.js';

type Parsed<Kind> = Kind extends unknown ? Omit<Extract<Statement, { kind: Kind }>, 'text'> : never;
export type SchemaChange = Parsed<'metadata' | 'user' | 'drop-shard'>;

const INT32_MAX = 2n ** 31n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** After the word CREATE. */
export function parseCreate(stream: TokenStream): SchemaChange {
  const word = stream.scanWord();
  switch (word.kind as string) {
    case 'CONTINUOUS':
      stream.expect('QUERY');
      return parseCreateContinuousQuery(stream);
    case 'DATABASE':
      return parseCreateDatabase(stream);
    case 'USER':
      return parseCreateUser(stream);
    case 'RETENTION':
      stream.expect('POLICY');
      return parseCreatePolicy(stream);
    case 'SUBSCRIPTION': {
      const database = parsePlace(stream);
      stream.expect('DESTINATIONS');
      if (!stream.accept('ALL')) stream.expect('ANY');
      parseList(stream, () => stream.expect('string'));
      return change('create-subscription', database);
    }
    default:
      throw stream.unexpected(word, 'what to create');
  }
}

/** After the word ALTER. */
export function parseAlter(stream: TokenStream): SchemaChange {
  stream.expect('RETENTION', 'POLICY');
  if (!stream.accept('DEFAULT')) stream.expect('identifier');
  const database = stream.expect('ON', 'identifier').value;
  const seen = new Set<string>();
  for (;;) {
    const option = stream.scanWord();
    if (seen.has(option.kind)) throw refuse(`found duplicate ${option.kind} option`);
    if (!parsePolicyOption(stream, option.kind)) {
      if (seen.size === 0) throw stream.unexpected(option, 'an option of the retention policy');
      stream.unscan();
      return change('alter-retention-policy', database);
    }
    seen.add(option.kind);
  }
}

/** What DROP changes in metadata, after its second word; undefined where it drops data. */
export function parseDrop(stream: TokenStream): SchemaChange | undefined {
  const word = stream.scanWord();
  switch (word.kind as string) {
    case 'CONTINUOUS': {
      const database = stream.expect('QUERY', 'identifier', 'ON', 'identifier').value;
      return { ...change('drop-continuous-query', database), privileges: writes(database) };
    }
    case 'DATABASE':
      return change('drop-database', stream.expect('identifier').value);
    case 'RETENTION': {
      const database = stream.expect('POLICY', 'identifier', 'ON', 'identifier').value;
      return { ...change('drop-retention-policy', database), privileges: writes(database) };
    }
    case 'SUBSCRIPTION':
      return change('drop-subscription', parsePlace(stream));
    case 'USER': {
      const user = stream.expect('identifier').value;
      return { kind: 'user', what: 'drop', user, isAdmin: false, privileges: ADMIN };
    }
    case 'SHARD':
      return { kind: 'drop-shard', shard: parseUnsigned(stream), privileges: ADMIN };
    default:
      stream.unscan();
      return undefined;
  }
}

/** After GRANT or REVOKE: `READ|WRITE|ALL [PRIVILEGES] ON database TO user`, or `ALL [PRIVILEGES] TO user`. */
export function parseGrant(stream: TokenStream, verb: 'GRANT' | 'REVOKE'): SchemaChange {
  const level = stream.scanWord();
  if (level.kind !== 'READ' && level.kind !== 'WRITE' && level.kind !== 'ALL') {
    throw stream.unexpected(level, 'READ, WRITE or ALL');
  }
  const preposition = verb === 'GRANT' ? 'TO' : 'FROM';
  if (level.kind === 'ALL') {
    stream.accept('PRIVILEGES');
    if (stream.accept(preposition)) {
      stream.expect('identifier');
      return change(`${verb.toLowerCase()}-admin`, '');
    }
  }
  const database = stream.expect('ON', 'identifier').value;
  stream.expect(preposition, 'identifier');
  return change(verb.toLowerCase(), database);
}

/** After the word SET. */
export function parseSetPassword(stream: TokenStream): SchemaChange {
  const user = stream.expect('PASSWORD', 'FOR', 'identifier').value;
  const password = stream.expect('=', 'string').value;
  return { kind: 'user', what: 'set-password', user, password, isAdmin: false, privileges: ADMIN };
}

/** A number of 64 bits. */
export function parseUnsigned(stream: TokenStream): bigint {
  return parseWithin(stream, 0n, UINT64_MAX);
}

function change(what: string, database: string): SchemaChange & { readonly kind: 'metadata' } {
  return { kind: 'metadata', what, database, privileges: ADMIN };
}

/** `name ON database.policy`; between the last two nothing may stand. Returns the database. */
function parsePlace(stream: TokenStream): string {
  const database = stream.expect('identifier', 'ON', 'identifier').value;
  const point = stream.scan();
  if (point.kind !== '.') throw stream.unexpected(point, '.');
  stream.expect('identifier');
  return database;
}

function parseWithin(stream: TokenStream, least: bigint, most: bigint): bigint {
  const value = BigInt(stream.expect('integer').value);
  if (value < least || value > most) throw refuse(`a number is not within ${least} and ${most}`);
  return value;
}

/** A duration, or INF, which is 0. */
function parseDurationOrInf(stream: TokenStream): bigint {
  return stream.accept('INF') ? 0n : parseDurationValue(stream);
}

function parseDurationValue(stream: TokenStream): bigint {
  const token = stream.expect('duration');
  const ns = parseDuration(token.value);
  if (ns === undefined) throw refuse(`${token.value.slice(0, 50)} is no valid duration`);
  return ns;
}

/** One option of CREATE and ALTER RETENTION POLICY, after its first word. False where the word is none. */
function parsePolicyOption(stream: TokenStream, option: string): boolean {
  switch (option) {
    case 'DURATION':
      parseDurationOrInf(stream);
      return true;
    case 'REPLICATION':
      parseWithin(stream, 1n, INT32_MAX);
      return true;
    case 'SHARD':
      stream.expect('DURATION');
      if (stream.accept('INF')) throw refuse('invalid duration INF for shard duration');
      parseDurationValue(stream);
      return true;
    case 'DEFAULT':
      return true;
    default:
      return false;
  }
}

function parseCreatePolicy(stream: TokenStream): SchemaChange {
  const database = stream.expect('identifier', 'ON', 'identifier').value;
  stream.expect('DURATION');
  parsePolicyOption(stream, 'DURATION');
  stream.expect('REPLICATION');
  parsePolicyOption(stream, 'REPLICATION');
  if (stream.accept('SHARD')) parsePolicyOption(stream, 'SHARD');
  stream.accept('DEFAULT');
  return change('create-retention-policy', database);
}

/** `name [WITH [DURATION d] [REPLICATION n] [SHARD DURATION d] [NAME policy]]`, of which one at least after WITH. */
function parseCreateDatabase(stream: TokenStream): SchemaChange {
  const database = stream.expect('identifier').value;
  if (stream.accept('WITH')) {
    const option = stream.scanWord();
    if (!['DURATION', 'NAME', 'REPLICATION', 'SHARD'].includes(option.kind)) {
      throw stream.unexpected(option, 'DURATION, NAME, REPLICATION or SHARD');
    }
    stream.unscan();
    if (stream.accept('DURATION')) parseDurationOrInf(stream);
    if (stream.accept('REPLICATION')) parsePolicyOption(stream, 'REPLICATION');
    if (stream.accept('SHARD')) {
      stream.expect('DURATION');
      parseDurationOrInf(stream);
    }
    if (stream.accept('NAME')) stream.expect('identifier');
  }
  return change('create-database', database);
}

function parseCreateUser(stream: TokenStream): SchemaChange {
  const user = stream.expect('identifier').value;
  const password = stream.expect('WITH', 'PASSWORD', 'string').value;
  const isAdmin = stream.accept('WITH');
  if (isAdmin) stream.expect('ALL', 'PRIVILEGES');
  return { kind: 'user', what: 'create', user, password, isAdmin, privileges: ADMIN };
}

/** `name ON database [RESAMPLE [EVERY d] [FOR d]] BEGIN SELECT ... INTO ... END`. */
function parseCreateContinuousQuery(stream: TokenStream): SchemaChange {
  const database = stream.expect('identifier', 'ON', 'identifier').value;
  const resample = stream.accept('RESAMPLE') ? parseResample(stream) : { every: 0n, for: 0n };
  stream.expect('BEGIN', 'SELECT');
  const select = parseSelect(stream, true);
  const interval = intervalOf(select);
  if (interval !== undefined && 'why' in interval) throw refuse(interval.why);
  const every = interval?.ns ?? 0n;
  if (every === 0n && select.fields.some(hasCall))
    throw refuse('a continuous query needs GROUP BY time(...)');
  stream.expect('END');
  const least = resample.every > every ? resample.every : every;
  if (resample.for !== 0n && least > resample.for) {
    throw refuse('FOR duration must be >= GROUP BY time duration');
  }
  const target = select.into?.target.database ?? '';
  const privileges = target === '' ? reads(database) : [...reads(database), ...writes(target)];
  return { ...change('create-continuous-query', database), privileges };
}

function hasCall(field: Expression): boolean {
  let calls = 0;
  visit(field, (part) => {
    if (part.kind === 'call') calls += 1;
  });
  return calls > 0;
}

function parseResample(stream: TokenStream): { every: bigint; for: bigint } {
  const every = stream.accept('EVERY') ? parseDurationValue(stream) : 0n;
  const range = stream.accept('FOR') ? parseDurationValue(stream) : 0n;
  if (every === 0n && range === 0n) {
    throw stream.unexpected(stream.scanWord(), 'EVERY or FOR');
  }
  return { every, for: range };
}
