// The figures of the fault suite as a table for docs/reliability.md: how often each fault was tried, under how many acknowledged
// statements or batches of points, what was lost, and how long it took until all was well again.
// usage: node tools/fault-figures.mjs FILE   (the file that FAULT_FIGURES named during the tests)
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** Faults under statements, and faults under points, which have other figures. */
const METADATA = {
  head: ['statements', 'versions', 'complaints', 'median s', 'worst s'],
  cells: (figures) => [
    sum(figures, 'acknowledged'),
    sum(figures, 'versions'),
    sum(figures, 'complaints'),
    seconds(median(figures, 'convergedMs')),
    seconds(worst(figures, 'convergedMs')),
  ],
};
const POINTS = {
  head: [
    'batches',
    'points',
    'reads',
    'missed',
    'complaints',
    'without a read s',
    'median s',
    'worst s',
  ],
  cells: (figures) => [
    sum(figures, 'batches'),
    sum(figures, 'points'),
    sum(figures, 'reads'),
    sum(figures, 'missed'),
    sum(figures, 'complaints'),
    seconds(worst(figures, 'unservedMs')),
    seconds(median(figures, 'healedMs')),
    seconds(worst(figures, 'healedMs')),
  ],
};

/** One line for each fault, most often tried first; the last line is the sum. A table for each kind that there is. */
export function figuresTable(file) {
  const figures = readFileSync(file, 'utf8').trim().split('\n').filter(Boolean).map(JSON.parse);
  const [points, metadata] = [true, false].map((isPoints) =>
    figures.filter((figure) => 'points' in figure === isPoints),
  );
  const tables = [tableOf(metadata, METADATA), tableOf(points, POINTS)];
  return tables.filter((table) => table !== undefined).join('\n\n');
}

function tableOf(figures, { head, cells }) {
  if (figures.length === 0) return undefined;
  const rowOf = (fault, each) => [fault, each.length, ...cells(each)];
  const rows = [...groupBy(figures)].map(([fault, each]) => rowOf(fault, each));
  rows.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const heads = ['fault', 'tried', ...head];
  const lines = [heads, heads.map(() => '---'), ...rows, rowOf('all', figures)];
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
}

function sum(figures, key) {
  return figures.reduce((total, figure) => total + figure[key], 0);
}

function median(figures, key) {
  const values = figures.map((figure) => figure[key]).sort((a, b) => a - b);
  return values[Math.floor(values.length / 2)];
}

function worst(figures, key) {
  return Math.max(...figures.map((figure) => figure[key]));
}

function seconds(ms) {
  return (ms / 1000).toFixed(1);
}

function faultOf({ fault, points }) {
  if (points === undefined && fault.includes(', and ')) return 'two faults at once';
  return fault.replace(/^killed at .*/, 'killed at a named step');
}

/** Node 20 has no Map.groupBy. */
function groupBy(figures) {
  const groups = new Map();
  for (const figure of figures) {
    const fault = faultOf(figure);
    groups.set(fault, [...(groups.get(fault) ?? []), figure]);
  }
  return groups;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(figuresTable(process.argv[2]));
}
