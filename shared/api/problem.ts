// Errors on the wire: problem+json (RFC 9457) with a stable code.
import { z } from 'zod';

/** The body of every error but a lost write. More members may follow, e.g. `version` or `limit-bytes`. */
export const problemSchema = z
  .looseObject({
    type: z.string().describe('`urn:clusterflux:problem:` and the code'),
    title: z.string().describe("the status's name"),
    status: z.number().int(),
    detail: z.string().describe('one sentence: what failed, why, and what to do'),
    code: z.string().describe('stable; for programs'),
    'request-id': z.string(),
  })
  .meta({ id: 'Problem' });

export type Problem = z.infer<typeof problemSchema>;
