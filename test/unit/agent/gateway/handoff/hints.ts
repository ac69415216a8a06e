// Batches for tests of the hint log.
import type { OwnerLog } from '../../../../../agent/gateway/handoff/owner-log.js';
import type { Batch } from '../../../../../agent/gateway/owner/port.js';

export const UID = '0b9c5a1e-0000-4000-8000-000000000001';

export function batch(text: string, more: Partial<Batch> = {}): Batch {
  return {
    database: 'db',
    policy: 'autogen',
    precision: 'n',
    body: Buffer.from(text),
    points: text.split('\n').length,
    group: 1,
    shard: 1,
    databaseMark: 1,
    policyMark: 1,
    placementVersion: 1,
    metadataVersion: 1,
    deletes: 0,
    isHint: true,
    ...more,
  };
}

/** The bodies of all that is not done, in the order in which they are read; what is lost as `lost N`. */
export async function readAll(log: OwnerLog): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const item = await log.read();
    if (item === undefined) return texts;
    texts.push(
      item.kind === 'lost' ? `lost ${item.end - item.sequence}` : item.batch.body.toString(),
    );
  }
}
