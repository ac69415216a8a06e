// Tables for people: columns padded with spaces, a head in capitals. Pure; nothing is cut, because ids and names are there
// to be copied.

export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string | number | boolean | null | undefined;
  /** Numbers stand to the right. */
  readonly align?: 'left' | 'right';
}

/** The table as text without a line end; only the head where there are no rows. */
export function renderTable<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  const head = columns.map((column) => column.title.toUpperCase());
  const body = rows.map((row) => columns.map((column) => cellText(column.value(row))));
  const widths = columns.map((_, i) =>
    Math.max(...[head, ...body].map((cells) => widthOf(cells[i] ?? ''))),
  );
  const lines = [head, ...body].map((cells) =>
    cells
      .map((cell, i) => pad(cell, widths[i] ?? 0, columns[i]?.align ?? 'left'))
      .join('  ')
      .trimEnd(),
  );
  return lines.join('\n');
}

/** `name: value` lines, the values in one column. */
export function renderFields(
  fields: readonly (readonly [string, string | number | boolean | null | undefined])[],
): string {
  const width = Math.max(0, ...fields.map(([name]) => name.length)) + 1;
  return fields.map(([name, value]) => `${`${name}:`.padEnd(width)} ${cellText(value)}`).join('\n');
}

/** Control characters (a name may not have them, a hostname might) would break the table or the terminal. */
function cellText(value: string | number | boolean | null | undefined): string {
  if (value === null || value === undefined || value === '') return '-';
  return String(value).replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

/** What a reader counts as characters, so that names with umlauts and emoji keep their column as far as terminals allow. */
function widthOf(text: string): number {
  return [...GRAPHEMES.segment(text)].length;
}

const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' });

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'right' ? space + text : text + space;
}
