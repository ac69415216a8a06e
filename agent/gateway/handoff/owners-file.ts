// Which owners there are hints for, and of which groups: kept apart from the hints, so that an agent that finds them gone
// knows for whom, and can say so.
import { join } from 'node:path';
import { z } from 'zod';
import { AppError, messageOf } from '../../../shared/errors/app-error.js';
import type { HintFiles } from './hint-files.js';

const FILE = 'hint-owners.json';

const schema = z.strictObject({
  owners: z.record(z.string(), z.array(z.number().int())),
});

export class OwnersFile {
  private work: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly files: HintFiles,
    private readonly directory: string,
    private readonly owners: Map<string, Set<number>>,
  ) {}

  /** `stateDir/hint-owners.json`. Throws AppError `state-not-current` where it is damaged: then nobody knows what was lost. */
  static async open(files: HintFiles, stateDir: string): Promise<OwnersFile> {
    const path = join(stateDir, FILE);
    const bytes = await files.read(path);
    if (bytes === undefined) return new OwnersFile(files, stateDir, new Map());
    try {
      const { owners } = schema.parse(JSON.parse(bytes.toString()));
      const sets = Object.entries(owners).map(([uid, ids]) => [uid, new Set(ids)] as const);
      return new OwnersFile(files, stateDir, new Map(sets));
    } catch (error) {
      throw new AppError(
        'state-not-current',
        `the list of owners with hints ${path} can't be read: ${messageOf(error)}; remove it after you marked the nodes that were away as incomplete with \`clusterflux shards mark\``,
        { cause: error },
      );
    }
  }

  /** What was there when it was opened, and since. */
  get all(): ReadonlyMap<string, ReadonlySet<number>> {
    return this.owners;
  }

  /** Resolves when it is durable that there are hints of these groups for the owner. */
  add(uid: string, groups: readonly number[]): Promise<void> {
    return this.inTurn(async () => {
      const known = this.owners.get(uid);
      if (known !== undefined && groups.every((group) => known.has(group))) return;
      await this.save(new Map(this.owners).set(uid, new Set([...(known ?? []), ...groups])));
      this.owners.set(uid, new Set([...(known ?? []), ...groups]));
    });
  }

  /** All hints for the owner are delivered or given up. */
  remove(uid: string): Promise<void> {
    return this.inTurn(async () => {
      if (!this.owners.has(uid)) return;
      const rest = new Map(this.owners);
      rest.delete(uid);
      await this.save(rest);
      this.owners.delete(uid);
    });
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.work.then(work);
    // The next one takes its turn whatever became of this one; its error goes to who asked for it.
    this.work = done.catch(() => undefined);
    return done;
  }

  private async save(owners: ReadonlyMap<string, ReadonlySet<number>>): Promise<void> {
    const path = join(this.directory, FILE);
    const body = { owners: Object.fromEntries([...owners].map(([uid, ids]) => [uid, [...ids]])) };
    await this.files.writeDurably(`${path}.new`, Buffer.from(`${JSON.stringify(body)}\n`));
    await this.files.rename(`${path}.new`, path);
    await this.files.syncDirectory(this.directory);
  }
}
