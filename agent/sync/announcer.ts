// Says once, in the log and as an event for the whole cluster, what a person should know of: conflicts, what is newly held,
// what was decided, and joins. Hashes and destinations (which may bear credentials) are in none of them.
import type { Logger } from '../../shared/log/logger.js';
import { describeKey } from '../../shared/meta/diff.js';
import type { Plan } from './plan-types.js';
import type { HeldItem, SyncEvent } from './port.js';

export interface AnnouncerDeps {
  readonly logger: Logger;
  readonly onEvent: (event: SyncEvent) => void;
}

/** Fields whose values only agents may see. */
const SECRET_FIELDS: ReadonlySet<string> = new Set(['hash', 'destinations']);

export class Announcer {
  private saidConflicts: ReadonlySet<string> = new Set();
  private saidHeld: ReadonlySet<string> = new Set();

  constructor(private readonly deps: AnnouncerDeps) {}

  /** A conflict whose value can't be applied yet is planned at every tick, and said at the first. */
  conflicts({ conflicts }: Plan): void {
    const now = new Map(conflicts.map((each) => [conflictText(each), each]));
    for (const [text, { key, field, local, remote }] of now) {
      if (this.saidConflicts.has(text)) continue;
      const object = describeKey(key);
      const isSecret = SECRET_FIELDS.has(field);
      const values = isSecret ? {} : { local: String(local), committed: String(remote) };
      const message = 'two nodes changed the same field; the committed value stays';
      this.deps.logger.warn(message, { object, field, ...values });
      this.deps.onEvent({
        kind: 'conflict',
        text: `${object}: ${field} was changed here and in the cluster; the committed value stays`,
        ...(isSecret ? {} : { before: values.local, after: values.committed }),
      });
    }
    this.saidConflicts = new Set(now.keys());
  }

  /** What is held now, of which some may be new. */
  held(items: readonly HeldItem[]): void {
    for (const { id, kind, why, command } of items) {
      if (this.saidHeld.has(id)) continue;
      this.deps.logger.warn('held for a person', { object: why, command });
      this.deps.onEvent({
        kind: kind === 'guard' ? 'guard' : 'hold',
        text: `${why}; decide with ${command}`,
        key: `held:${id}`,
      });
    }
    this.saidHeld = new Set(items.map(({ id }) => id));
  }

  decided(decision: 'keep' | 'drop', count: number): void {
    const text = `${count} held ${count === 1 ? 'object is' : 'objects are'} to be ${decision === 'keep' ? 'kept' : 'dropped'}, as a person decided`;
    this.deps.logger.info('held objects are decided', { decision, count });
    this.deps.onEvent({ kind: 'hold-decided', text });
  }

  joined(why: string, version: number): void {
    this.deps.onEvent({
      kind: 'join',
      text: `joined (${why}): the union of both sides, nothing was dropped on either`,
      after: { version },
    });
  }
}

function conflictText({ key, field, local, remote }: Plan['conflicts'][number]): string {
  return `${key} ${field} ${String(local)} ${String(remote)}`;
}
