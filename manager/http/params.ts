// Paths, queries and headers that several resources share.
import { z } from 'zod';
import { nameField, nodeIdText, versionText } from '../../shared/api/fields.js';
import { IDEMPOTENCY_HEADER } from '../../shared/api/headers.js';
import { checkName } from '../../shared/api/names.js';
import { parseTag, type VersionTag } from '../../shared/api/version-tag.js';
import { AppError } from '../../shared/errors/app-error.js';

export const clusterParams = z.object({ cluster: nameField('cluster name') });
export const versionParams = clusterParams.extend({ version: versionText });
export const nodeParams = clusterParams.extend({ id: nodeIdText });
export const writeParams = clusterParams.extend({ key: nameField('idempotency key') });

export const flag = z
  .enum(['true', 'false'], 'must be true or false')
  .optional()
  .transform((text) => text === 'true');

export const dryRun = flag.describe('changes nothing, and answers what would be done');

type HeaderValue = string | string[] | undefined;

/** The name of a write that the client gave. Throws AppError `name-invalid` (400). */
export function idempotencyKey(headers: Readonly<Record<string, unknown>>): string | undefined {
  const key = headers[IDEMPOTENCY_HEADER];
  return typeof key === 'string' ? checkName(key, `header ${IDEMPOTENCY_HEADER}`) : undefined;
}

/** A version's full name from a header. Throws AppError `version-invalid` (400) where it is something else. */
export function tagHeader(name: string, value: HeaderValue): VersionTag | undefined {
  if (value === undefined) return undefined;
  const tag = parseTag(String(value));
  if (tag !== undefined) return tag;
  throw new AppError(
    'version-invalid',
    `header ${name}: must be "{incarnation}.{version}.{digest}", as the ETag of a snapshot has it`,
    { status: 400 },
  );
}

/** The header's version and the path's must be one; they name the same thing. */
export function checkSameVersion(name: string, tag: VersionTag | undefined, version: number): void {
  if (tag === undefined || tag.version === version) return;
  throw new AppError(
    'version-invalid',
    `header ${name} names version ${tag.version} and the path version ${version}; give the same in both`,
    { status: 400 },
  );
}
