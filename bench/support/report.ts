// Tables of figures: printed for the reader, and on demand written into docs/performance.md between its markers.
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

export interface Figure {
  readonly what: string;
  readonly measured: string;
  /** In words, and whether it was met; absent for what has none. */
  readonly aim?: { readonly text: string; readonly isMet: boolean };
}

export interface Report {
  readonly figures: readonly Figure[];
  /** Conditions that a reader must know, one sentence each. */
  readonly notes: readonly string[];
}

const DOCUMENT = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));

/** `value` against an upper limit; a miss says by how much. */
export function atMost(text: string, value: number, limit: number): NonNullable<Figure['aim']> {
  return aim(text, value <= limit, value / limit);
}

/** `value` against a lower limit. */
export function atLeast(text: string, value: number, limit: number): NonNullable<Figure['aim']> {
  return aim(text, value >= limit, value / limit);
}

function aim(text: string, isMet: boolean, factor: number): NonNullable<Figure['aim']> {
  return { text: isMet ? text : `${text}: missed, ${factor.toFixed(2)} of it`, isMet };
}

/** The report as Markdown, readable as it is. */
export function render({ figures, notes }: Report): string {
  const rows = figures.map(({ what, measured, aim: wanted }) => [
    what,
    measured,
    wanted?.text ?? '',
    wanted === undefined ? '' : wanted.isMet ? 'yes' : 'NO',
  ]);
  const all = [['figure', 'measured', 'aim', 'met'], ...rows];
  const widths = [0, 1, 2, 3].map((i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const line = (cells: string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const [head = [], ...body] = all;
  const table = [line(head), rule, ...body.map(line)].join('\n');
  return notes.length === 0 ? table : `${table}\n\n${notes.map((note) => `- ${note}`).join('\n')}`;
}

/** When and where it was measured. The load before the start tells how quiet the machine was. */
export function surroundings(id: string): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const load = loadavg()[0]?.toFixed(2) ?? '?';
  const machine = `${cpus().length} × ${cpu?.model ?? 'unknown CPU'}, ${memory} GiB, Linux ${release()}`;
  const day = new Date().toISOString().slice(0, 10);
  return `Measured ${day} by \`node --import tsx bench/main.ts ${id}\` on ${machine}, Node ${process.versions.node}; load average at the start ${load}.`;
}

/** Replaces what stands between `<!-- bench:ID -->` and `<!-- end:ID -->`. */
export async function writeIntoDocument(id: string, text: string): Promise<void> {
  const before = await readFile(DOCUMENT, 'utf8');
  const [begin, end] = [`<!-- bench:${id} -->`, `<!-- end:${id} -->`];
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${DOCUMENT} has no ${begin} … ${end}`);
  const after = `${before.slice(0, from + begin.length)}\n\n${text}\n\n${before.slice(to)}`;
  await writeFile(DOCUMENT, after);
}
