// What is done of an owner's hints: the position (everything below it), single ones that were settled, and which segments
// there are. An append-only file of checksummed lines, replaced when it grows. A line that is not sound is as if it had not
// been written: then something is sent twice, and nothing is forgotten.
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import type { HintFile, HintFiles } from './hint-files.js';

/** What is known of a segment that takes no more records, so that it need not be read at start. */
export interface SegmentFacts {
  /** First sequence in it, and the one behind its last. */
  readonly first: number;
  readonly end: number;
  readonly bytes: number;
  readonly records: number;
  readonly points: number;
  readonly oldestMs: number;
  readonly groups: readonly number[];
}

const factsSchema = z.object({
  first: z.number(),
  end: z.number(),
  bytes: z.number(),
  records: z.number(),
  points: z.number(),
  oldestMs: z.number(),
  groups: z.array(z.number()),
});

const noteSchema = z.object({
  /** Everything below is done. */
  position: z.number().optional(),
  settled: z.array(z.number()).optional(),
  /** The segment that takes records from now on, by its first sequence. */
  opened: z.number().optional(),
  sealed: factsSchema.optional(),
  /** Segments that are gone, by their first sequence. */
  dropped: z.array(z.number()).optional(),
});
export type ProgressNote = z.input<typeof noteSchema>;

const FILE = 'done.log';

/** A note is some 40 bytes; the state itself is small. */
const REWRITE_AFTER_BYTES = 256 * 1024;

export class Progress {
  position = 0;
  readonly settled = new Set<number>();
  readonly sealed = new Map<number, SegmentFacts>();
  opened: number | undefined;
  private length = 0;
  private work: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly files: HintFiles,
    private readonly directory: string,
    private file: HintFile,
  ) {}

  static async open(files: HintFiles, directory: string): Promise<Progress> {
    const path = join(directory, FILE);
    const bytes = await files.read(path);
    if (bytes === undefined) await files.writeDurably(path, Buffer.alloc(0));
    await files.syncDirectory(directory);
    const progress = new Progress(files, directory, await files.open(path, false));
    await progress.load(bytes ?? Buffer.alloc(0));
    return progress;
  }

  /** Appends a note, and fsyncs where it `mustLast` a failing machine. Rejects with the file system's error; then try again. */
  note(note: ProgressNote, mustLast: boolean): Promise<void> {
    return this.inTurn(async () => {
      const line = encode(note);
      await this.file.write([line], this.length);
      this.length += line.length;
      this.take(note);
      if (this.length > REWRITE_AFTER_BYTES) await this.rewrite();
      else if (mustLast) await this.file.sync();
    });
  }

  close(): Promise<void> {
    return this.inTurn(() => this.file.close());
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.work.then(work);
    // The next one takes its turn whatever became of this one; its error goes to who asked for it.
    this.work = done.catch(() => undefined);
    return done;
  }

  private async load(bytes: Buffer): Promise<void> {
    for (let start = 0; start < bytes.length;) {
      const newline = bytes.indexOf(NEWLINE, start);
      if (newline < 0) break;
      const note = decode(bytes.subarray(start, newline));
      if (note !== undefined) {
        this.take(note);
        this.length = newline + 1;
      }
      start = newline + 1;
    }
    if (this.length < bytes.length) await this.file.truncate(this.length);
    // What a killed process wrote last can be read and yet not be durable.
    await this.file.sync();
  }

  private take({ position, settled = [], opened, sealed, dropped = [] }: ProgressNote): void {
    for (const sequence of settled) if (sequence >= this.position) this.settled.add(sequence);
    if (opened !== undefined) this.opened = opened;
    if (sealed !== undefined) {
      this.sealed.set(sealed.first, sealed);
      if (this.opened === sealed.first) this.opened = undefined;
    }
    for (const first of dropped) {
      this.sealed.delete(first);
      if (this.opened === first) this.opened = undefined;
    }
    if (position === undefined || position <= this.position) return;
    this.position = position;
    for (const sequence of this.settled) if (sequence < position) this.settled.delete(sequence);
  }

  /** The state in as few notes as possible, in a new file that takes the name of the old one. */
  private async rewrite(): Promise<void> {
    const path = join(this.directory, FILE);
    const notes: ProgressNote[] = [
      { position: this.position, settled: [...this.settled] },
      ...[...this.sealed.values()].map((sealed) => ({
        sealed: { ...sealed, groups: [...sealed.groups] },
      })),
      ...(this.opened === undefined ? [] : [{ opened: this.opened }]),
    ];
    const bytes = Buffer.concat(notes.map(encode));
    await this.files.writeDurably(`${path}.new`, bytes);
    await this.files.rename(`${path}.new`, path);
    await this.files.syncDirectory(this.directory);
    const before = this.file;
    this.file = await this.files.open(path, false);
    this.length = bytes.length;
    await before.close();
  }
}

const NEWLINE = 0x0a;
/** Eight hex digits and a space. */
const CHECKSUM_LENGTH = 9;

function encode(note: ProgressNote): Buffer {
  const json = Buffer.from(JSON.stringify(note));
  return Buffer.concat([Buffer.from(`${checksum(json)} `), json, Buffer.from('\n')]);
}

function decode(line: Buffer): ProgressNote | undefined {
  const json = line.subarray(CHECKSUM_LENGTH);
  if (line.subarray(0, CHECKSUM_LENGTH).toString() !== `${checksum(json)} `) return undefined;
  return noteSchema.safeParse(JSON.parse(json.toString())).data;
}

function checksum(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}
