// The peers that hold hints for this node, by their last words, and those that could not tell others of theirs, in a file: a node
// that is started anew must not forget that somebody has points for it, or what it stands for. Who is not in it holds none.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AppError } from '../../../shared/errors/app-error.js';
import { writeFileAtomically } from '../../../shared/lifecycle/atomic-file.js';
import type { Holding } from './news-wire.js';
import { NOTHING } from './news-wire.js';

const fileSchema = z.object({
  format: z.literal(1),
  /** Uids. */
  holders: z.array(z.string()),
  /** By the uid of a holder: the owners that it could not tell. */
  untold: z.record(z.string(), z.array(z.string())).default({}),
});

/** Below the state directory. */
export const LAST_WORDS_FILE = 'peer-backlogs.json';

/** Of which groups is not written: after a crash the hints may be of others than the first one was. */
const OF_ANY_GROUP: Holding = { kind: 'some', groups: undefined };

interface Word {
  readonly holding: Holding;
  readonly untold: readonly string[];
}

interface OnDisk {
  readonly holders: ReadonlySet<string>;
  readonly untold: ReadonlyMap<string, readonly string[]>;
}

export class LastWords {
  private readonly newest = new Map<string, Word>();
  private saving: Promise<void> = Promise.resolve();

  private constructor(
    private readonly path: string,
    private onDisk: OnDisk,
  ) {}

  /** Throws AppError `state-not-current` for a file that can't be read. */
  static async open(path: string): Promise<LastWords> {
    try {
      const { holders, untold } = fileSchema.parse(JSON.parse(await readFile(path, 'utf8')));
      const onDisk = { holders: new Set(holders), untold: new Map(Object.entries(untold)) };
      return new LastWords(path, onDisk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return new LastWords(path, { holders: new Set(), untold: new Map() });
      }
      const why = `the record of what peers hold for this node (${path}) is not readable`;
      const remedy = 'remove the file, and mark this node incomplete if a peer was lost with hints';
      throw new AppError('state-not-current', `${why}; ${remedy}`, { cause: error });
    }
  }

  /** That somebody holds hints counts at once, that nobody does only when it is on disk. */
  of(uid: string): Holding {
    const newest = this.newest.get(uid)?.holding;
    if (newest?.kind === 'some') return newest;
    return this.onDisk.holders.has(uid) ? OF_ANY_GROUP : NOTHING;
  }

  /** Those who hold hints for that owner and could not tell it, by their last words. */
  untoldHoldersOf(owner: string): string[] {
    const named = [...this.newest]
      .filter(([, { untold }]) => untold.includes(owner))
      .map(([uid]) => uid);
    const onDisk = [...this.onDisk.untold]
      .filter(([, owners]) => owners.includes(owner))
      .map(([uid]) => uid);
    return [...new Set([...named, ...onDisk])];
  }

  /** Takes a word; resolves when it is on disk. Throws AppError `state-unwritable`. */
  note(uid: string, holding: Holding, untold: readonly string[] = []): Promise<void> {
    this.newest.set(uid, { holding, untold });
    const next = this.saving.catch(() => undefined).then(() => this.save(uid));
    this.saving = next;
    next.catch(() => undefined); // the caller has its error; who comes next tries again
    return next;
  }

  /** Only a change from none to some, or back, and of who was not told, is worth a sync. */
  private async save(uid: string): Promise<void> {
    const word = this.newest.get(uid);
    const holds = word?.holding.kind === 'some';
    const owners = [...(word?.untold ?? [])].sort();
    const before = this.onDisk.untold.get(uid) ?? [];
    if (this.onDisk.holders.has(uid) === holds && owners.join() === before.join()) return;
    const holders = new Set(this.onDisk.holders);
    if (holds) holders.add(uid);
    else holders.delete(uid);
    const untold = new Map(this.onDisk.untold);
    if (owners.length > 0) untold.set(uid, owners);
    else untold.delete(uid);
    const body = { format: 1, holders: [...holders], untold: Object.fromEntries(untold) };
    await writeFileAtomically(this.path, JSON.stringify(body));
    this.onDisk = { holders, untold };
  }
}
