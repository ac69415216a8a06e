// Token files for tests: tokens by name, and the lines that a manager accepts them by.
import { digestOf } from '../../shared/security/tokens.js';

/** `role[:cluster]` and the token, as a line of `manager.token-file`. */
export function tokenLine(who: string, token: string): string {
  return `${who} ${digestOf(token).toString('hex')}`;
}

/** A file's text of `who` → token. */
export function tokenFile(tokens: Readonly<Record<string, string>>): string {
  return Object.entries(tokens)
    .map(([who, token]) => `${tokenLine(who, token)}\n`)
    .join('');
}

export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}
