// Reads the metadata statements that the fake influxd runs: those of statements.ts, and what users type in tests. Not an
// InfluxQL parser: a continuous query is kept as text, and anything else is a parse error.
import type { PrivilegeLevel } from '../../../shared/meta/model.js';
import { readQueryHead, unquote } from '../continuous-query.js';

/** Fields of a policy as a statement names them; absent ones are left to influxd. */
export interface PolicyClauses {
  durationNs?: bigint;
  shardDurationNs?: bigint;
  replication?: number;
  name?: string;
  isDefault?: boolean;
}

export type Command =
  | { kind: 'create-database'; database: string; policy: PolicyClauses | undefined }
  | { kind: 'drop-database'; database: string }
  | { kind: 'create-policy'; database: string; policy: string; clauses: PolicyClauses }
  | { kind: 'alter-policy'; database: string; policy: string; clauses: PolicyClauses }
  | { kind: 'drop-policy'; database: string; policy: string }
  | { kind: 'create-query'; database: string; name: string; text: string }
  | { kind: 'drop-query'; database: string; name: string }
  | {
      kind: 'create-subscription';
      path: readonly [database: string, policy: string, name: string];
      mode: string;
      destinations: string[];
    }
  | { kind: 'drop-subscription'; path: readonly [database: string, policy: string, name: string] }
  | { kind: 'create-user'; user: string; password: string; isAdmin: boolean }
  | { kind: 'set-password'; user: string; password: string }
  | { kind: 'drop-user'; user: string }
  | { kind: 'set-admin'; user: string; isAdmin: boolean }
  | { kind: 'set-privilege'; user: string; database: string; level: PrivilegeLevel | 0 };

/** A statement that influxd would not parse; its message is influxd's kind of text. */
export class ParseError extends Error {}

export function parseStatement(text: string): Command {
  const head = readQueryHead(text);
  if (head !== undefined) return { kind: 'create-query', ...head, text };
  const reader = new TokenReader(text);
  const command = readCommand(reader);
  reader.expectEnd();
  return command;
}

function readCommand(reader: TokenReader): Command {
  for (const [words, read] of READERS) if (reader.accept(...words)) return read(reader);
  throw reader.error('SELECT, DELETE, SHOW, CREATE, DROP, ALTER, GRANT, REVOKE, SET');
}

/** The longer phrase first where one begins like another. */
const READERS: readonly (readonly [readonly string[], (reader: TokenReader) => Command])[] = [
  [['CREATE', 'DATABASE'], readCreateDatabase],
  [['DROP', 'DATABASE'], (reader) => ({ kind: 'drop-database', database: reader.identifier() })],
  [['CREATE', 'RETENTION', 'POLICY'], (reader) => readPolicy(reader, 'create-policy')],
  [['ALTER', 'RETENTION', 'POLICY'], (reader) => readPolicy(reader, 'alter-policy')],
  [['DROP', 'RETENTION', 'POLICY'], (reader) => ({ kind: 'drop-policy', ...policyOn(reader) })],
  [['DROP', 'CONTINUOUS', 'QUERY'], readDropQuery],
  [['CREATE', 'SUBSCRIPTION'], readCreateSubscription],
  [
    ['DROP', 'SUBSCRIPTION'],
    (reader) => ({ kind: 'drop-subscription', path: subscriptionOn(reader) }),
  ],
  [['CREATE', 'USER'], readCreateUser],
  [['SET', 'PASSWORD', 'FOR'], readSetPassword],
  [['DROP', 'USER'], (reader) => ({ kind: 'drop-user', user: reader.identifier() })],
  [['GRANT'], (reader) => readPrivilege(reader, 'TO')],
  [['REVOKE'], (reader) => readPrivilege(reader, 'FROM')],
];

function readCreateDatabase(reader: TokenReader): Command {
  const database = reader.identifier();
  const policy = reader.accept('WITH') ? readClauses(reader) : undefined;
  return { kind: 'create-database', database, policy };
}

function readPolicy(reader: TokenReader, kind: 'create-policy' | 'alter-policy'): Command {
  return { kind, ...policyOn(reader), clauses: readClauses(reader) };
}

function readClauses(reader: TokenReader): PolicyClauses {
  const clauses: PolicyClauses = {};
  for (;;) {
    if (reader.accept('DURATION')) clauses.durationNs = reader.duration();
    else if (reader.accept('REPLICATION')) clauses.replication = Number(reader.next());
    else if (reader.accept('SHARD', 'DURATION')) clauses.shardDurationNs = reader.duration();
    else if (reader.accept('NAME')) clauses.name = reader.identifier();
    else if (reader.accept('DEFAULT')) clauses.isDefault = true;
    else break;
  }
  if (Object.keys(clauses).length === 0)
    throw reader.error('DURATION, REPLICATION, SHARD, DEFAULT');
  return clauses;
}

function policyOn(reader: TokenReader): { policy: string; database: string } {
  const policy = reader.identifier();
  reader.expect('ON');
  return { policy, database: reader.identifier() };
}

function readDropQuery(reader: TokenReader): Command {
  const name = reader.identifier();
  reader.expect('ON');
  return { kind: 'drop-query', name, database: reader.identifier() };
}

function subscriptionOn(reader: TokenReader): readonly [string, string, string] {
  const name = reader.identifier();
  reader.expect('ON');
  const database = reader.identifier();
  reader.expect('.');
  return [database, reader.identifier(), name];
}

function readCreateSubscription(reader: TokenReader): Command {
  const path = subscriptionOn(reader);
  reader.expect('DESTINATIONS');
  const mode = reader.next().toUpperCase();
  const destinations = [reader.string()];
  while (reader.accept(',')) destinations.push(reader.string());
  return { kind: 'create-subscription', path, mode, destinations };
}

function readCreateUser(reader: TokenReader): Command {
  const user = reader.identifier();
  reader.expect('WITH');
  reader.expect('PASSWORD');
  const password = reader.string();
  return {
    kind: 'create-user',
    user,
    password,
    isAdmin: reader.accept('WITH', 'ALL', 'PRIVILEGES'),
  };
}

function readSetPassword(reader: TokenReader): Command {
  const user = reader.identifier();
  reader.expect('=');
  return { kind: 'set-password', user, password: reader.string() };
}

const LEVELS: Readonly<Record<string, PrivilegeLevel>> = { READ: 1, WRITE: 2, ALL: 3 };

/** `GRANT level ON database TO user`, `GRANT ALL [PRIVILEGES] TO user`; REVOKE likewise with FROM. */
function readPrivilege(reader: TokenReader, preposition: 'TO' | 'FROM'): Command {
  const level = LEVELS[reader.next().toUpperCase()];
  if (level === undefined) throw reader.error('READ, WRITE, ALL');
  reader.accept('PRIVILEGES');
  const isGrant = preposition === 'TO';
  if (!reader.accept('ON')) {
    reader.expect(preposition);
    return { kind: 'set-admin', user: reader.identifier(), isAdmin: isGrant };
  }
  const database = reader.identifier();
  reader.expect(preposition);
  return { kind: 'set-privilege', database, user: reader.identifier(), level: isGrant ? level : 0 };
}

const TOKEN =
  /\s*("(?:[^"\\\n]|\\["\\n])*"|'(?:[^'\\\n]|\\['\\n])*'|[A-Za-z_][A-Za-z0-9_]*|\d+[a-zµ]*|[.,=])/uy;

const UNIT_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  u: 1_000n,
  µ: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
};

class TokenReader {
  private readonly tokens: string[] = [];
  private at = 0;

  constructor(text: string) {
    TOKEN.lastIndex = 0;
    let end = 0;
    for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
      this.tokens.push(match[1] ?? '');
      end = TOKEN.lastIndex;
    }
    const rest = text.slice(end).trim();
    if (rest !== '') this.tokens.push(rest);
  }

  next(): string {
    const token = this.tokens[this.at] ?? '';
    this.at += 1;
    return token;
  }

  /** True, and past them, where these words or signs come next. */
  accept(...words: readonly string[]): boolean {
    const found = words.every(
      (word, index) => this.tokens[this.at + index]?.toUpperCase() === word,
    );
    if (found) this.at += words.length;
    return found;
  }

  expect(word: string): void {
    if (!this.accept(word)) throw this.error(word);
  }

  expectEnd(): void {
    if (this.at < this.tokens.length) throw this.error(';, EOF');
  }

  identifier(): string {
    const token = this.tokens[this.at] ?? '';
    if (!/^["A-Za-z_]/.test(token)) throw this.error('identifier');
    this.at += 1;
    return unquote(token);
  }

  string(): string {
    const token = this.tokens[this.at] ?? '';
    if (!token.startsWith("'") || token.length < 2) throw this.error('string');
    this.at += 1;
    return token
      .slice(1, -1)
      .replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
  }

  /** Nanoseconds; INF and `0s` are 0. */
  duration(): bigint {
    if (this.accept('INF')) return 0n;
    const match = /^(\d+)([a-zµ]+)$/u.exec(this.tokens[this.at] ?? '');
    const unit = UNIT_NS[match?.[2] ?? ''];
    if (!match || unit === undefined) throw this.error('duration');
    this.at += 1;
    return BigInt(match[1] ?? '') * unit;
  }

  error(expected: string): ParseError {
    const found = this.tokens[this.at] ?? 'EOF';
    return new ParseError(`error parsing query: found ${found}, expected ${expected}`);
  }
}
