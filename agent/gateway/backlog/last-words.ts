// The peers that hold hints for this node, by their last words, in a file: a node that is started anew must not forget that
// somebody has points for it. Who is not in it holds none, or was never heard.
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
});

/** Below the state directory. */
export const LAST_WORDS_FILE = 'peer-backlogs.json';

/** Of which groups is not written: after a crash the hints may be of others than the first one was. */
const OF_ANY_GROUP: Holding = { kind: 'some', groups: undefined };

export class LastWords {
  private readonly newest = new Map<string, Holding>();
  private saving: Promise<void> = Promise.resolve();

  private constructor(
    private readonly path: string,
    private onDisk: ReadonlySet<string>,
  ) {}

  /** Throws AppError `state-not-current` for a file that can't be read. */
  static async open(path: string): Promise<LastWords> {
    try {
      const { holders } = fileSchema.parse(JSON.parse(await readFile(path, 'utf8')));
      return new LastWords(path, new Set(holders));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new LastWords(path, new Set());
      const why = `the record of what peers hold for this node (${path}) is not readable`;
      const remedy = 'remove the file, and mark this node incomplete if a peer was lost with hints';
      throw new AppError('state-not-current', `${why}; ${remedy}`, { cause: error });
    }
  }

  /** That somebody holds hints counts at once, that nobody does only when it is on disk. */
  of(uid: string): Holding {
    const newest = this.newest.get(uid);
    if (newest?.kind === 'some') return newest;
    return this.onDisk.has(uid) ? OF_ANY_GROUP : NOTHING;
  }

  /** Takes a word; resolves when it is on disk. Throws AppError `state-unwritable`. */
  note(uid: string, holding: Holding): Promise<void> {
    this.newest.set(uid, holding);
    const next = this.saving.catch(() => undefined).then(() => this.save(uid));
    this.saving = next;
    next.catch(() => undefined); // the caller has its error; who comes next tries again
    return next;
  }

  /** Only a change from none to some, or back, is worth a sync. */
  private async save(uid: string): Promise<void> {
    const holds = this.newest.get(uid)?.kind === 'some';
    if (this.onDisk.has(uid) === holds) return;
    const holders = new Set(this.onDisk);
    if (holds) holders.add(uid);
    else holders.delete(uid);
    await writeFileAtomically(this.path, JSON.stringify({ format: 1, holders: [...holders] }));
    this.onDisk = holders;
  }
}
