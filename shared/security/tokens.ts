// The tokens that a manager accepts, as a file lists them: roles and SHA-256 digests, never the tokens themselves.
// It compares in constant time, and refuses a file that has one line which it does not understand.
import { createHash, timingSafeEqual } from 'node:crypto';
import { checkName, decodeName } from '../api/names.js';
import { AppError, messageOf } from '../errors/app-error.js';

export const ROLES = ['agent', 'operator', 'viewer'] as const;
/** `agent`: what agents do for their cluster; `operator`: everything; `viewer`: reading, without hashes and credentials. */
export type Role = (typeof ROLES)[number];

export interface Token {
  readonly role: Role;
  /** Undefined: all clusters. */
  readonly cluster: string | undefined;
  /** SHA-256 of the token. */
  readonly digest: Buffer;
  /** For people and records: the role and the first digits of the digest, by which its line is found. */
  readonly name: string;
}

/** Digits of a digest that are shown: enough to find a line, and nothing that helps to find a token. */
const SHOWN_DIGITS = 8;

const LINE = /^(\S+)\s+([0-9a-fA-F]{64})$/;

export class Tokens {
  constructor(private readonly tokens: readonly Token[]) {}

  get size(): number {
    return this.tokens.length;
  }

  /** The token's line; undefined where there is none. It takes as long for every text, found or not. */
  find(text: string): Token | undefined {
    const digest = digestOf(text);
    let found: Token | undefined;
    // No early end: how long it takes must not tell how many lines are before the one.
    for (const token of this.tokens) {
      if (timingSafeEqual(token.digest, digest)) found = token;
    }
    return found;
  }
}

/** SHA-256 of a token's bytes in UTF-8. */
export function digestOf(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

/**
 * Reads `role[:cluster] sha256-of-token` lines; empty lines and those that begin with `#` are skipped. The cluster is
 * percent-encoded as in paths, where it has spaces.
 * @param source what names the file in an error, e.g. `manager.token-file /etc/clusterflux/tokens`.
 * @throws AppError `config-invalid` that names the line, and nothing of what stands in it.
 */
export function parseTokens(text: string, source: string): Tokens {
  const lineByDigest = new Map<string, number>();
  const tokens: Token[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const where = `${source}, line ${index + 1}`;
    const token = parseLine(trimmed, where);
    const hex = token.digest.toString('hex');
    const before = lineByDigest.get(hex);
    if (before !== undefined) {
      refuse(
        `${where}: it has the digest of line ${before} again; give each line a token of its own`,
      );
    }
    lineByDigest.set(hex, index + 1);
    tokens.push(token);
  }
  if (tokens.length === 0) {
    refuse(
      `${source}: it has no token, so nobody could do anything; add a line "role[:cluster] sha256-of-token"`,
    );
  }
  return new Tokens(tokens);
}

function parseLine(line: string, where: string): Token {
  const [, who, hex] = LINE.exec(line) ?? [];
  if (who === undefined || hex === undefined) {
    refuse(
      `${where}: expected "role[:cluster] sha256-of-token", the digest as 64 hexadecimal digits (\`printf %s TOKEN | sha256sum\`)`,
    );
  }
  const colon = who.indexOf(':');
  const role = ROLES.find((each) => each === (colon === -1 ? who : who.slice(0, colon)));
  if (role === undefined) refuse(`${where}: the role must be one of ${ROLES.join(', ')}`);
  const cluster = colon === -1 ? undefined : clusterOf(who.slice(colon + 1), where);
  const digest = Buffer.from(hex, 'hex');
  return { role, cluster, digest, name: `${role} ${hex.slice(0, SHOWN_DIGITS).toLowerCase()}` };
}

function clusterOf(text: string, where: string): string {
  try {
    return checkName(decodeName(text), 'cluster name');
  } catch (error) {
    throw new AppError('config-invalid', `${where}: ${messageOf(error)}`, { cause: error });
  }
}

function refuse(message: string): never {
  throw new AppError('config-invalid', message);
}
