// The text of a dump: JSON lines. A header, one line per key, and a trailer with the number of keys and the SHA-256 of all
// bytes before it, so that a dump that was cut off or changed is refused before anything is written.
import { createHash, type Hash } from 'node:crypto';
import { z } from 'zod';
import { AppError } from '../../../shared/errors/app-error.js';
import type { ArchivedEntry } from './contents.js';

/** Raised when an older release could not read it any more. */
export const DUMP_FORMAT = 1;

const headerSchema = z.object({
  format: z.number().int(),
  kind: z.literal('clusterflux-store'),
  created: z.string(),
  /** Where it was taken from, for people. */
  source: z.string(),
  /** Of the source when it was read. */
  revision: z.number().int(),
});
export type DumpHeader = z.infer<typeof headerSchema>;

const entrySchema = z.strictObject({ key: z.string().min(1), value: z.base64() });
const trailerSchema = z.strictObject({ count: z.number().int(), sha256: z.string() });

/** Makes the lines of a dump, in order: `header`, `entry` for each key, `trailer`. */
export class DumpWriter {
  private readonly hash = createHash('sha256');
  private count = 0;

  header(header: Omit<DumpHeader, 'format' | 'kind'>): string {
    return this.line({ format: DUMP_FORMAT, kind: 'clusterflux-store', ...header });
  }

  entry({ key, value }: ArchivedEntry): string {
    this.count += 1;
    return this.line({ key, value: value.toString('base64') });
  }

  trailer(): string {
    return this.line({ count: this.count, sha256: this.hash.copy().digest('hex') });
  }

  private line(value: unknown): string {
    const line = `${JSON.stringify(value)}\n`;
    this.hash.update(line);
    return line;
  }
}

/** Takes the lines of a dump, in order and without their line ends. Throws AppError `dump-invalid`, `store-format-unknown`. */
export class DumpReader {
  private readonly hash: Hash = createHash('sha256');
  private lines = 0;
  private lastKey = '';
  private isEnded = false;
  header: DumpHeader | undefined;
  count = 0;

  /** @param name of the file, for messages */
  constructor(private readonly name: string) {}

  /** The entry of this line; undefined for header and trailer. */
  take(line: string): ArchivedEntry | undefined {
    this.lines += 1;
    if (this.isEnded) throw this.invalid('there are lines after its trailer');
    const value = this.parse(line);
    if (this.header === undefined) {
      this.header = this.headerOf(value);
      this.hash.update(`${line}\n`);
      return undefined;
    }
    const trailer = trailerSchema.safeParse(value);
    if (trailer.success) {
      this.checkTrailer(trailer.data);
      return undefined;
    }
    this.hash.update(`${line}\n`);
    return this.entryOf(value);
  }

  /** Throws where the trailer has not come: the file was cut off. */
  end(): DumpHeader {
    if (this.header === undefined) throw this.invalid('it is empty');
    if (!this.isEnded) throw this.invalid('it has no trailer: it was cut off');
    return this.header;
  }

  private parse(line: string): unknown {
    try {
      return JSON.parse(line);
    } catch {
      // What JSON.parse says quotes the content, which holds password hashes.
      throw this.invalid(`line ${this.lines} is no JSON`);
    }
  }

  private headerOf(value: unknown): DumpHeader {
    const header = headerSchema.safeParse(value);
    if (!header.success) throw this.invalid('its first line is not the header of a store dump');
    if (header.data.format <= DUMP_FORMAT) return header.data;
    throw new AppError(
      'store-format-unknown',
      `the dump ${this.name} has format ${header.data.format} and this release knows formats up to ${DUMP_FORMAT}: run a newer release`,
    );
  }

  private entryOf(value: unknown): ArchivedEntry {
    const entry = entrySchema.safeParse(value);
    if (!entry.success) throw this.invalid(`line ${this.lines} is no key with a value`);
    const { key } = entry.data;
    if (key <= this.lastKey) throw this.invalid(`the key of line ${this.lines} is out of order`);
    this.lastKey = key;
    this.count += 1;
    return { key, value: Buffer.from(entry.data.value, 'base64') };
  }

  private checkTrailer({ count, sha256 }: z.infer<typeof trailerSchema>): void {
    this.isEnded = true;
    if (count !== this.count) {
      throw this.invalid(`its trailer counts ${count} keys and there are ${this.count}`);
    }
    if (sha256 !== this.hash.digest('hex')) {
      throw this.invalid('its checksum does not match: it was changed or damaged');
    }
  }

  private invalid(reason: string): AppError {
    return new AppError(
      'dump-invalid',
      `reading the dump ${this.name} failed: ${reason}; use another dump`,
    );
  }
}
