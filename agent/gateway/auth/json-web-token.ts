// Verifies the tokens of influxd's JWT authentication (HMAC with the shared secret) and refuses in influxd's own words, in the
// order in which it looks. Whether the user exists is the caller's to ask.
import { createHmac, timingSafeEqual } from 'node:crypto';

export type TokenVerdict =
  | { readonly kind: 'user'; readonly user: string }
  | { readonly kind: 'refused'; readonly error: string };

const HASHES: Readonly<Record<string, string>> = {
  HS256: 'sha256',
  HS384: 'sha384',
  HS512: 'sha512',
};

/** Known to influxd's library, and refused by influxd: only who has the secret may sign. */
const OTHER_METHODS = /^(?:none|(?:RS|PS|ES)(?:256|384|512))$/;

/** Seconds beyond a 64-bit integer wrap in Go: influxd takes them for the past. */
const MAX_SECONDS = 2 ** 63;

/** @param nowMs wall clock; the token's times are seconds. */
export function verifyToken(token: string, secret: string, nowMs: number): TokenVerdict {
  const parts = token.split('.');
  if (parts.length !== 3) return refused('token contains an invalid number of segments');
  const [head = '', body = '', signature = ''] = parts;
  for (const part of [head, body]) {
    const at = base64ErrorAt(part);
    if (at !== undefined) return refused(illegal(at));
  }
  const header = parse(head);
  const claims = parse(body);
  // influxd gives the words of Go's JSON decoder here; one text for all of them says as much.
  if (header === undefined || claims === undefined) return refused('invalid token');
  const wrong =
    whyBadSignature(`${head}.${body}`, header['alg'], signature, secret) ??
    whyBadTime(claims, nowMs / 1_000);
  return wrong === undefined ? userOf(claims) : refused(wrong);
}

function whyBadSignature(
  text: string,
  method: unknown,
  signature: string,
  secret: string,
): string | undefined {
  if (typeof method !== 'string') return 'signing method (alg) is unspecified.';
  const hash = HASHES[method];
  if (hash === undefined) {
    return OTHER_METHODS.test(method)
      ? `unexpected signing method: ${method}`
      : 'signing method (alg) is unavailable.';
  }
  const at = base64ErrorAt(signature);
  if (at !== undefined) return illegal(at);
  const expected = createHmac(hash, secret).update(text).digest();
  const given = Buffer.from(signature, 'base64url');
  const isRight = given.length === expected.length && timingSafeEqual(given, expected);
  return isRight ? undefined : 'signature is invalid';
}

/** 0 and what is no number count as not there. */
function whyBadTime(claims: Claims, now: number): string | undefined {
  const second = Math.floor(now);
  const { exp, nbf, iat } = {
    exp: secondsOf(claims['exp']),
    nbf: secondsOf(claims['nbf']),
    iat: secondsOf(claims['iat']),
  };
  if (nbf !== undefined && second < nbf) return 'Token is not valid yet';
  if (iat !== undefined && second < iat) return 'Token used before issued';
  if (exp !== undefined && (second > exp || exp >= MAX_SECONDS)) return 'Token is expired';
  return exp === undefined ? 'token expiration required' : undefined;
}

function secondsOf(claim: unknown): number | undefined {
  if (typeof claim !== 'number' || Number.isNaN(claim)) return undefined;
  const seconds = Math.trunc(claim);
  return seconds === 0 ? undefined : seconds;
}

function userOf(claims: Claims): TokenVerdict {
  const user = claims['username'];
  if (typeof user !== 'string') return refused('username in token must be a string');
  return user === '' ? refused('token must contain a username') : { kind: 'user', user };
}

type Claims = Readonly<Record<string, unknown>>;

function parse(part: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    // null is an empty object to Go.
    if (value === null) return {};
    return typeof value === 'object' && !Array.isArray(value) ? (value as Claims) : undefined;
  } catch {
    // No JSON: the caller refuses the token.
    return undefined;
  }
}

/** Where Go's decoder stops, after influxd's library has filled up the padding; undefined where all is well. */
function base64ErrorAt(part: string): number | undefined {
  const length = /^[A-Za-z0-9_-]*/.exec(part)?.[0].length ?? 0;
  const rest = part.slice(length);
  if (length % 4 === 1) return length;
  const padding = (4 - (length % 4)) % 4;
  if (/^=*$/.test(rest) && rest.length <= padding) return undefined;
  return /^=+/.test(rest) ? length + padding : length;
}

function illegal(at: number): string {
  return `illegal base64 data at input byte ${at}`;
}

function refused(error: string): TokenVerdict {
  return { kind: 'refused', error };
}
