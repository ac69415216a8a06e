// The tokens of InfluxQL 1.x and its reserved words. What a token means is the parsers' business.

/** As influxd 1.6.7 (influxql 1.1.0) has them: later words (ANALYZE VERBOSE, FUTURE, PAST) are plain identifiers there. */
const KEYWORDS = [
  ...['ALL', 'ALTER', 'ANALYZE', 'ANY', 'AS', 'ASC', 'BEGIN', 'BY', 'CARDINALITY', 'CREATE'],
  ...['CONTINUOUS', 'DATABASE', 'DATABASES', 'DEFAULT', 'DELETE', 'DESC', 'DESTINATIONS'],
  ...['DIAGNOSTICS', 'DISTINCT', 'DROP', 'DURATION', 'END', 'EVERY', 'EXACT', 'EXPLAIN', 'FIELD'],
  ...['FOR', 'FROM', 'GRANT', 'GRANTS', 'GROUP', 'GROUPS', 'INF', 'INSERT', 'INTO', 'KEY', 'KEYS'],
  ...['KILL', 'LIMIT', 'MEASUREMENT', 'MEASUREMENTS', 'NAME', 'OFFSET', 'ON', 'ORDER', 'PASSWORD'],
  ...['POLICY', 'POLICIES', 'PRIVILEGES', 'QUERIES', 'QUERY', 'READ', 'REPLICATION', 'RESAMPLE'],
  ...['RETENTION', 'REVOKE', 'SELECT', 'SERIES', 'SET', 'SHOW', 'SHARD', 'SHARDS', 'SLIMIT'],
  ...['SOFFSET', 'STATS', 'SUBSCRIPTION', 'SUBSCRIPTIONS', 'TAG', 'TO', 'USER', 'USERS', 'VALUES'],
  ...['WHERE', 'WITH', 'WRITE'],
  ...['AND', 'OR', 'IN', 'TRUE', 'FALSE'],
] as const;

export type Keyword = (typeof KEYWORDS)[number];

/** Operators that stand between two expressions, with how tightly they bind. */
const PRECEDENCE = {
  OR: 1,
  AND: 2,
  '=': 3,
  '!=': 3,
  '=~': 3,
  '!~': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '+': 4,
  '-': 4,
  '|': 4,
  '^': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  '&': 5,
} as const;

export type Operator = keyof typeof PRECEDENCE;

export type TokenKind =
  | 'illegal'
  | 'end'
  | 'space'
  | 'comment'
  | 'identifier'
  | 'parameter'
  | 'number'
  | 'integer'
  | 'duration'
  | 'string'
  | 'bad-string'
  | 'regex'
  | 'bad-regex'
  | '('
  | ')'
  | ','
  | ':'
  | '::'
  | ';'
  | '.'
  | Operator
  | Keyword;

export interface Token {
  readonly kind: TokenKind;
  /** What it stands for: an identifier without its quotes, a string without escapes, digits as written. */
  readonly value: string;
  /** Where it is in the text, in UTF-16 units; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
}

const BY_WORD: ReadonlyMap<string, Keyword> = new Map(KEYWORDS.map((word) => [word, word]));

/** The reserved word that a bare identifier is, in any case. */
export function keywordOf(word: string): Keyword | undefined {
  return BY_WORD.get(word.toUpperCase());
}

export function isOperator(kind: TokenKind): kind is Operator {
  return Object.hasOwn(PRECEDENCE, kind);
}

export function precedenceOf(operator: Operator): number {
  return PRECEDENCE[operator];
}
