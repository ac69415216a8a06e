// Takes hashes and credentials out of an event before it is kept, whoever wrote it: events are for every reader. What is
// taken out is replaced by a short keyed digest, so that equal secrets still show as equal. Also bounds what is kept.
import { MAX_EVENT_TEXT, MAX_EVENT_VALUE } from '../../shared/api/events.js';
import type { Mask } from '../../shared/meta/diff.js';

/** As influxd writes password hashes (bcrypt), wherever in a text. */
const BCRYPT = /\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}/g;
/** User info of a URL. */
const USER_INFO = /\b([a-z][a-z0-9+.-]{0,20}:\/\/)([^\s/@"']{1,1000})@/gi;
/** A password in a statement: WITH PASSWORD '…', SET PASSWORD FOR "x" = '…'. */
const STATEMENT_PASSWORD = /(\bpassword\b[^']{0,300})'((?:\\.|[^'\\])*)'/gi;
/** Members whose value is a secret, whatever it looks like. */
const SECRET_MEMBER = /^(password|passwd|hash|secret|token|authorization|credentials?)$/i;
/** Made by a mask already: `hmac:1a2b…`, or `(hidden)`. */
const MASKED = /^(hmac:[0-9a-f]{6,64}|\(hidden\)|)$/;

/** Far beyond what is kept is cut off before it is searched, so that no text makes the search slow. */
const SEARCHED = 4;

/** Deeper values are of nobody's making. */
const MAX_DEPTH = 20;

/** A text that may be kept: no secrets, and of bounded length. */
export function safeText(text: string, mask: Mask): string {
  const safe = withoutSecrets(text.slice(0, SEARCHED * MAX_EVENT_TEXT), mask);
  return safe.length <= MAX_EVENT_TEXT ? safe : `${safe.slice(0, MAX_EVENT_TEXT - 1)}…`;
}

/** A value that may be kept, as JSON has it; null for nothing. */
export function safeValue(value: unknown, mask: Mask): unknown {
  if (value === undefined || value === null) return null;
  const given = JSON.stringify(value).length;
  if (given > SEARCHED * MAX_EVENT_VALUE) return omitted(given);
  const safe = withoutSecretMembers(value, mask, 0);
  const { length } = JSON.stringify(safe);
  return length <= MAX_EVENT_VALUE ? safe : omitted(length);
}

function omitted(characters: number): object {
  return { 'omitted-characters': characters };
}

function withoutSecrets(text: string, mask: Mask): string {
  return text
    .replace(BCRYPT, (hash) => mask(hash))
    .replace(USER_INFO, (_, scheme: string, user: string) =>
      MASKED.test(user) ? `${scheme}${user}@` : `${scheme}${mask(user)}@`,
    )
    .replace(STATEMENT_PASSWORD, (_, before: string, secret: string) =>
      MASKED.test(secret) ? `${before}'${secret}'` : `${before}'${mask(secret)}'`,
    );
}

function withoutSecretMembers(value: unknown, mask: Mask, depth: number): unknown {
  if (typeof value === 'string') return withoutSecrets(value, mask);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return null;
  if (Array.isArray(value)) return value.map((each) => withoutSecretMembers(each, mask, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      withoutSecrets(name, mask),
      typeof member === 'string' && SECRET_MEMBER.test(name) && !MASKED.test(member)
        ? mask(member)
        : withoutSecretMembers(member, mask, depth + 1),
    ]),
  );
}
