// Building blocks of the wire schemas: names, numbers in paths, times. One place, so that each rule has one sentence.
import { z } from 'zod';
import { nameFault, NAME_RULE } from './names.js';

/** Versions are kept below this, so that they are exact in JSON and sort as 15 digits. */
export const MAX_VERSION = 999_999_999_999_999;

/** A cluster's name or an idempotency key, decoded. */
export function nameField(what: string) {
  return z
    .string()
    .superRefine((name, context) => {
      const fault = nameFault(name);
      if (fault !== undefined) {
        context.addIssue({ code: 'custom', message: `the ${what} ${fault}; ${NAME_RULE}` });
      }
    })
    .describe(`${what}: ${NAME_RULE}`);
}

/** A whole number of at most 15 digits, as text in a path or query, or as a number where a client has one. */
function numberText(what: string, least: 0 | 1) {
  const message = `the ${what} must be a whole number from ${least} to ${MAX_VERSION}, in decimal digits`;
  return z
    .string()
    .regex(least === 0 ? /^\d{1,15}$/ : /^0*[1-9]\d{0,14}$/, message)
    .transform(Number);
}

/** `{version}` in a path: 0 for none. */
export const versionText = numberText('version', 0).describe('a version; 0 for none');

/** `{id}` of a node in a path. */
export const nodeIdText = numberText('node id', 1).describe('the id of a node');

/** A version in an answer. */
export const version = z.number().int().min(0).describe('0: none');
export const nodeId = z.number().int().min(1);
export const incarnation = z
  .string()
  .describe('UUID made with the cluster, made anew when its store went back in time; empty: none');
export const digest = z
  .string()
  .describe('SHA-256, hex, over the digest before it and the content');
export const time = z.string().describe('RFC 3339, UTC');
/** A counter that is 64 bits wide in InfluxDB: decimal text, because JSON numbers are not exact beyond 2^53. */
export const counter64 = z
  .union([z.string().regex(/^\d{1,20}$/, 'must be decimal digits'), z.number().int().min(0)])
  .describe('decimal text (or a number below 2^53)');
