// The headers in which signatures travel. Reading refuses whatever is not exactly of this form.
import type { Challenge, SignedRequest } from './messages.js';

/** Scheme of `Authorization` and `WWW-Authenticate`; another format would be another scheme. */
export const SCHEME = 'Clusterflux-V1';

/** Answer: its code. The digest of the body is not sent, because the client makes it from what it read. */
export const ANSWER_HEADER = 'x-clusterflux-answer';

/** From commands, which have no uid. */
export const OPERATOR = 'operator';

/** A request with a signature. Method and path are the request's own. */
export type Proof = Omit<SignedRequest, 'method' | 'path'> & { readonly code: string };

/** Uids are UUIDs, codes and nonces base64url, digests hex, times digits: nothing that a header or a log could trip over. */
const VALUE = /^[A-Za-z0-9._-]{1,128}$/;
const MAX_HEADER_LENGTH = 1_024;

const PROOF_FIELDS = ['to', 'from', 'boot', 'time', 'nonce', 'body', 'code'] as const;
const CHALLENGE_FIELDS = ['from', 'boot', 'time', 'code'] as const;

/** True for a text that can stand in a proof. */
export function isWireValue(text: string): boolean {
  return VALUE.test(text);
}

export function formatProof(proof: Proof): string {
  return format(PROOF_FIELDS.map((name) => [name, String(proof[name])]));
}

/** A request for a challenge: no code, only what the challenge is signed over. */
export function formatAsking(nonce: string): string {
  return format([['nonce', nonce]]);
}

export function formatChallenge(challenge: Challenge & { readonly code: string }): string {
  return format(CHALLENGE_FIELDS.map((name) => [name, String(challenge[name])]));
}

/** What an `Authorization` header says: a proof, a question for a challenge, or nothing of ours. */
export function parseAuthorization(
  header: string | undefined,
):
  | { readonly kind: 'proof'; readonly proof: Proof }
  | { readonly kind: 'asking'; readonly nonce: string }
  | { readonly kind: 'none' } {
  const fields = parse(header);
  const nonce = fields?.get('nonce');
  if (fields === undefined || nonce === undefined) return { kind: 'none' };
  if (fields.size === 1) return { kind: 'asking', nonce };
  const [to, from, boot, time, , body, code] = PROOF_FIELDS.map((name) => fields.get(name) ?? '');
  const timeMs = timeOf(time);
  if (fields.size !== PROOF_FIELDS.length || timeMs === undefined) return { kind: 'none' };
  if (!to || !from || !boot || !body || !code) return { kind: 'none' };
  return { kind: 'proof', proof: { to, from, boot, time: timeMs, nonce, body, code } };
}

/** Of a `WWW-Authenticate` header; undefined where it has none. */
export function parseChallenge(
  header: string | undefined,
): (Omit<Challenge, 'nonce'> & { readonly code: string }) | undefined {
  const fields = parse(header);
  const [from, boot, time, code] = CHALLENGE_FIELDS.map((name) => fields?.get(name) ?? '');
  const timeMs = timeOf(time);
  if (!from || !boot || !code || timeMs === undefined) return undefined;
  return { from, boot, time: timeMs, code };
}

function format(fields: readonly (readonly [string, string])[]): string {
  return `${SCHEME} ${fields.map(([name, value]) => `${name}=${value}`).join(', ')}`;
}

function parse(header: string | undefined): Map<string, string> | undefined {
  if (header === undefined || header.length > MAX_HEADER_LENGTH) return undefined;
  if (!header.startsWith(`${SCHEME} `)) return undefined;
  const fields = new Map<string, string>();
  for (const part of header.slice(SCHEME.length + 1).split(', ')) {
    const at = part.indexOf('=');
    const [name, value] = [part.slice(0, at), part.slice(at + 1)];
    if (at < 1 || !isWireValue(value) || fields.has(name)) return undefined;
    fields.set(name, value);
  }
  return fields;
}

/** Only as it is printed, so that a proof has one form. */
function timeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : undefined;
}
