// Results that the gateway makes by itself (of metadata statements, errors, counts), in influxd's three formats, to the byte.
import { goJson } from '../errors.js';
import { formatTime } from '../../../shared/influx/time.js';
import type { AnswerForm } from './port.js';

/** An instant in a result: its form depends on `epoch` and on the format. */
export class TimeCell {
  constructor(readonly ns: bigint) {}
}

export type Cell = string | number | bigint | boolean | null | TimeCell;

export interface Row {
  readonly name?: string;
  readonly columns: readonly string[];
  /** Absent: no rows, as influxd writes a series without any. */
  readonly values?: readonly (readonly Cell[])[];
}

/** One statement's result. */
export interface StatementResult {
  readonly series?: readonly Row[];
  /** Warnings. */
  readonly messages?: readonly string[];
  readonly error?: string | undefined;
}

export const NOT_EXECUTED = 'not executed';

/** influxd's warning for a statement that changes something and came by GET. */
export function readOnlyWarning(statement: string): string {
  return `deprecated use of '${statement}' in a read only context, please use a POST request instead`;
}

const NS_OF_EPOCH: Readonly<Record<string, bigint>> = {
  u: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** influxd divides as Go does, towards zero, and takes every unit that it does not know for nanoseconds. */
export function epochOf(cell: TimeCell, epoch: string): bigint {
  return cell.ns / (NS_OF_EPOCH[epoch] ?? 1n);
}

// JSON ------------------------------------------------------------------------------------------------------------------------

/** The result's object as JSON, without what is around it. `indent`: of its own braces, for pretty answers. */
export function jsonResult(id: number, result: StatementResult, form: AnswerForm): string {
  const { series, messages, error } = result;
  const parts: Tree = new Map<string, Tree>([['statement_id', id.toString()]]);
  if (error !== undefined) parts.set('error', goJson(error));
  else {
    if (series !== undefined && series.length > 0) {
      parts.set(
        'series',
        series.map((row) => rowTree(row, form)),
      );
    }
    if (messages !== undefined && messages.length > 0) {
      parts.set(
        'messages',
        messages.map(
          (text) =>
            new Map([
              ['level', '"warning"'],
              ['text', goJson(text)],
            ]),
        ),
      );
    }
  }
  return form.isPretty ? pretty(parts, '        ') : compact(parts);
}

/** Leaves are JSON text already. */
type Tree = string | readonly Tree[] | Map<string, Tree>;

function rowTree(row: Row, form: AnswerForm): Tree {
  const tree = new Map<string, Tree>();
  if (row.name !== undefined) tree.set('name', goJson(row.name));
  tree.set('columns', row.columns.map(goJson));
  if (row.values !== undefined) {
    tree.set(
      'values',
      row.values.map((cells) => cells.map((cell) => jsonCell(cell, form.epoch))),
    );
  }
  return tree;
}

function jsonCell(cell: Cell, epoch: string | undefined): string {
  if (cell instanceof TimeCell) {
    return epoch === undefined ? goJson(formatTime(cell.ns)) : epochOf(cell, epoch).toString();
  }
  return typeof cell === 'string' ? goJson(cell) : String(cell);
}

function compact(tree: Tree): string {
  if (typeof tree === 'string') return tree;
  if (isList(tree)) return `[${tree.map(compact).join(',')}]`;
  return `{${[...tree].map(([key, value]) => `${goJson(key)}:${compact(value)}`).join(',')}}`;
}

const STEP = '    ';

/** As Go's MarshalIndent; the first line is indented too. */
function pretty(tree: Tree, indent: string): string {
  return indent + prettyBody(tree, indent);
}

function prettyBody(tree: Tree, indent: string): string {
  if (typeof tree === 'string') return tree;
  const inner = indent + STEP;
  if (isList(tree)) {
    if (tree.length === 0) return '[]';
    return `[\n${tree.map((item) => pretty(item, inner)).join(',\n')}\n${indent}]`;
  }
  const lines = [...tree].map(
    ([key, value]) => `${inner}${goJson(key)}: ${prettyBody(value, inner)}`,
  );
  return `{\n${lines.join(',\n')}\n${indent}}`;
}

function isList(tree: readonly Tree[] | Map<string, Tree>): tree is readonly Tree[] {
  return Array.isArray(tree);
}

// CSV -------------------------------------------------------------------------------------------------------------------------

/** The result's lines; '' where it has no series: errors and warnings are left out, as influxd does. */
export function csvResult({ series, error }: StatementResult): string {
  const [first] = series ?? [];
  if (first === undefined || error !== undefined) return '';
  const lines = [['name', 'tags', ...first.columns]];
  for (const row of series ?? []) {
    for (const cells of row.values ?? []) lines.push([row.name ?? '', '', ...cells.map(csvCell)]);
  }
  return lines.map((fields) => `${fields.map(csvField).join(',')}\n`).join('');
}

function csvCell(cell: Cell): string {
  if (cell instanceof TimeCell) return cell.ns.toString();
  return cell === null ? '' : String(cell);
}

/** As Go's csv writer quotes. */
export function csvField(text: string): string {
  return /^[ \t]|[",\r\n]|^\\\.$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
