// Hints that were refused for good: the lines with the reason, in a file beside the log, for people. It is never read back.
import { join } from 'node:path';
import type { HintFiles } from './hint-files.js';

export interface DeadLetter {
  /** Wall clock, ms. */
  readonly atMs: number;
  readonly database: string;
  readonly policy: string;
  readonly precision: string;
  /** What influxd said, or why they could not be sent. */
  readonly why: string;
  readonly lines: readonly Buffer[];
}

const FILE = 'dead-letters.txt';

/** An owner that refuses everything must not fill the disk with what it refused; what does not fit is counted. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Appends one letter, fsynced. False where the file is full. Rejects with the file system's error. */
export async function appendDeadLetter(
  files: HintFiles,
  directory: string,
  letter: DeadLetter,
): Promise<boolean> {
  const path = join(directory, FILE);
  const size = (await files.size(path)) ?? 0;
  const bytes = render(letter);
  if (size + bytes.length > MOST_BYTES) return false;
  const file = await files.open(path, true);
  try {
    await file.write([bytes], size);
    await file.sync();
    return true;
  } finally {
    await file.close();
  }
}

/** Lines of line protocol with the reason above them as comments: after mending they can be written as they are. */
function render({ atMs, database, policy, precision, why, lines }: DeadLetter): Buffer {
  const reason = why.replace(/[\r\n]+/g, ' ');
  const head = `# ${new Date(atMs).toISOString()} ${reason}\n# CONTEXT-DATABASE: ${database}\n# CONTEXT-RETENTION-POLICY: ${policy}\n# precision: ${precision}\n`;
  return Buffer.concat([Buffer.from(head), ...lines.flatMap((line) => [line, Buffer.from('\n')])]);
}
