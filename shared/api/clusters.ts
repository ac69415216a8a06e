// Wire shapes of clusters as a whole.
import { z } from 'zod';
import { incarnation, time, version } from './fields.js';

export const clusterSchema = z
  .object({
    name: z.string(),
    version: version.describe('the newest metadata version, 0: none yet'),
    incarnation,
    'updated-at': time.nullable().describe('of the newest version; null: none yet'),
    nodes: z.object({ alive: z.number().int(), all: z.number().int() }),
  })
  .meta({ id: 'Cluster' });
export type ClusterBody = z.infer<typeof clusterSchema>;
export const clusterListSchema = z.array(clusterSchema);
