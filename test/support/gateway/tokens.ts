// JSON web tokens, good and bad, with what influxd 1.6.7 says to each, for the unit and the contract tests.
import { createHmac } from 'node:crypto';

export const NOW_SECONDS = 1_800_000_000;

const encode = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

interface How {
  readonly header?: unknown;
  readonly secret?: string;
  readonly hash?: string;
}

/** @param claims text is taken as it is. */
export function signed(claims: unknown, how: How = {}): string {
  const { header = { alg: 'HS256', typ: 'JWT' }, secret = 'secret', hash = 'sha256' } = how;
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${createHmac(hash, secret).update(text).digest('base64url')}`;
}

export interface TokenCase {
  readonly what: string;
  readonly token: (nowSeconds: number) => string;
  /** Undefined: taken for the user `admin`. */
  readonly error: string | undefined;
}

const valid = (now: number) => ({ username: 'admin', exp: now + 600 });
const row = (
  what: string,
  error: string | undefined,
  token: (now: number) => string,
): TokenCase => ({ what, error, token });
const claims = (what: string, error: string | undefined, more: (now: number) => object) =>
  row(what, error, (now) => signed({ ...valid(now), ...more(now) }));
const made = (what: string, error: string | undefined, how: How) =>
  row(what, error, (now) => signed(valid(now), how));
const text = (what: string, error: string, token: string) => row(what, error, () => token);

const SEGMENTS = 'token contains an invalid number of segments';
const EXPIRED = 'Token is expired';
const UNAVAILABLE = 'signing method (alg) is unavailable.';
const UNSPECIFIED = 'signing method (alg) is unspecified.';
const WRONG = 'signature is invalid';

export const TOKENS: readonly TokenCase[] = [
  made('a signature by SHA-384', undefined, { header: { alg: 'HS384' }, hash: 'sha384' }),
  made('a signature by SHA-512', undefined, { header: { alg: 'HS512' }, hash: 'sha512' }),
  made('another secret', WRONG, { secret: 'guess' }),
  made('another hash than it says', WRONG, { header: { alg: 'HS384' } }),
  made('no method', UNSPECIFIED, { header: { typ: 'JWT' } }),
  made('a number for its method', UNSPECIFIED, { header: { alg: 5 } }),
  made('an empty header', UNSPECIFIED, { header: 'null' }),
  made('an unknown method', UNAVAILABLE, { header: { alg: 'XX' } }),
  made('a method in small letters', UNAVAILABLE, { header: { alg: 'hs256' } }),
  made('the method none', 'unexpected signing method: none', { header: { alg: 'none' } }),
  made('a public key', 'unexpected signing method: RS256', { header: { alg: 'RS256' } }),
  row('no signature', WRONG, (now) => signed(valid(now)).replace(/[^.]*$/, '')),
  row('padding', undefined, (now) => `${signed(valid(now))}=`),
  row('a fourth part', SEGMENTS, (now) => `${signed(valid(now))}.x`),
  text('two parts', SEGMENTS, 'a.b'),
  text('a head that is no base64', 'illegal base64 data at input byte 0', '!.b.c'),
  text('a head of five characters', 'illegal base64 data at input byte 5', 'aaaaa.b.c'),
  text(
    'claims that are no base64',
    'illegal base64 data at input byte 0',
    `${encode({ alg: 'HS256' })}.!.c`,
  ),
  row(
    'too much padding',
    'illegal base64 data at input byte 44',
    (now) => `${signed(valid(now))}====`,
  ),
  row('a signature cut off', 'illegal base64 data at input byte 41', (now) =>
    signed(valid(now)).slice(0, -2),
  ),
  claims('an end in the past', EXPIRED, (now) => ({ exp: now - 5 })),
  claims('an end before 1970', EXPIRED, () => ({ exp: -5 })),
  row('an end beyond all time', EXPIRED, () => signed('{"username":"admin","exp":1e30}')),
  row('a wrong secret and an end in the past', WRONG, (now) =>
    signed({ username: 'admin', exp: now - 5 }, { secret: 'guess' }),
  ),
  claims('the end 0', 'token expiration required', () => ({ exp: 0 })),
  claims('an end in words', 'token expiration required', (now) => ({ exp: String(now + 600) })),
  claims('no end', 'token expiration required', () => ({ exp: undefined })),
  row('no claims', 'token expiration required', () => signed('null')),
  claims('a fraction of a second', undefined, (now) => ({ exp: now + 600.5 })),
  claims('a start in the future', 'Token is not valid yet', (now) => ({ nbf: now + 100 })),
  claims('a start in words', undefined, () => ({ nbf: 'x' })),
  claims('an issue in the future', 'Token used before issued', (now) => ({ iat: now + 100 })),
  claims('start and end at odds', 'Token is not valid yet', (now) => ({
    nbf: now + 100,
    exp: now - 100,
  })),
  claims('no user', 'username in token must be a string', () => ({ username: undefined })),
  claims('a number for its user', 'username in token must be a string', () => ({ username: 5 })),
  claims('an empty user', 'token must contain a username', () => ({ username: '' })),
];
