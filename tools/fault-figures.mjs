// The figures of the fault suite as a table for docs/reliability.md: how often each fault was tried, under how many acknowledged
// statements, what was lost, and how long it took until all nodes were equal again.
// usage: node tools/fault-figures.mjs FILE   (the file that FAULT_FIGURES named during the tests)
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** One line for each fault, most often tried first; the last line is the sum. */
export function figuresTable(file) {
  const figures = readFileSync(file, 'utf8').trim().split('\n').filter(Boolean).map(JSON.parse);
  const rows = [...groupBy(figures)].map(([fault, each]) => rowOf(fault, each));
  rows.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const head = ['fault', 'tried', 'statements', 'versions', 'complaints', 'median s', 'worst s'];
  const lines = [head, head.map(() => '---'), ...rows, rowOf('all', figures)];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function rowOf(fault, figures) {
  const sum = (key) => figures.reduce((total, figure) => total + figure[key], 0);
  const times = figures.map(({ convergedMs }) => convergedMs).sort((a, b) => a - b);
  const seconds = (ms) => ((ms ?? 0) / 1000).toFixed(1);
  return [
    fault,
    figures.length,
    sum('acknowledged'),
    sum('versions'),
    sum('complaints'),
    seconds(times[Math.floor(times.length / 2)]),
    seconds(times.at(-1)),
  ];
}

function faultOf({ fault }) {
  if (fault.includes(', and ')) return 'two faults at once';
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
