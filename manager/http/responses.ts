// Response schemas that many routes share.
import { z } from 'zod';
import { problemSchema } from '../../shared/api/problem.js';

const problem = { content: { 'application/problem+json': { schema: problemSchema } } };

const MEANINGS = {
  400: 'Bad input: `detail` names the field',
  404: 'It does not exist',
  409: 'Somebody else holds or changed it',
  413: 'The body is over the limit',
  422: 'The guard holds it for a person: `held` is the list, `digest` names it',
  503: 'The store is out of reach, or the manager has no room; see Retry-After',
} as const;

type Problems = Partial<Record<keyof typeof MEANINGS, typeof problem & { description: string }>>;

/** The problem answers of a route, for the OpenAPI document. */
export function errors(...statuses: (keyof typeof MEANINGS)[]): Problems {
  return Object.fromEntries(
    statuses.map((status) => [status, { ...problem, description: MEANINGS[status] }]),
  );
}

export const NO_CONTENT = z.undefined().describe('nothing');

const binary = z.string().meta({ format: 'binary' });
export const snapshotContent = {
  'application/x-protobuf': { schema: binary },
};
