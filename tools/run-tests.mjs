// Runs suites one after the other and prints, as the very last line, `N passed, N failed` over all of them.
// usage: run-tests.mjs [--minutes N] [--only WORDS] lint|unit|contract|integration|fault…   (--minutes: again and again, until
// one fails; --only: tests whose titles have these words)
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { figuresTable } from './fault-figures.mjs';

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

/** After so long a suite hangs: several times what it needs on a slow machine. */
const SUITE_LIMIT_MS = {
  lint: 300_000,
  unit: 300_000,
  contract: 300_000,
  integration: 900_000,
  e2e: 300_000,
  // With SOAK_SECONDS of its own on top, for statements and for points.
  fault: 900_000 + 2 * Number(process.env.SOAK_SECONDS ?? 0) * 1_000,
};

/** `make lint`: each command is one check. */
const LINT_CHECKS = [
  ['eslint', ['node_modules/.bin/eslint', '.']],
  ['prettier', ['node_modules/.bin/prettier', '--check', '--log-level', 'warn', '.']],
  ['types', ['node_modules/.bin/tsc', '-p', '.']],
  ['docs/configuration.md', ['--import', 'tsx', 'tools/gen-config-docs.ts', '--check']],
  ['docs/openapi.json', ['--import', 'tsx', 'tools/gen-openapi.ts', '--check']],
  ['licences and exact versions', ['tools/licences.mjs']],
];

/** In the environment of everything that a suite starts, so that what outlives it can be found. */
const run = randomUUID();
let current;
let temporary;

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (current !== undefined) killGroup(current.pid);
    killLeftovers();
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
    process.exit(130);
  });
}

const { suites, untilMs, only } = readArguments();
let total = { passes: 0, failures: 0 };
const times = [];
if (suites.some((suite) => suite !== 'lint')) console.log(`tested with ${await surroundings()}\n`);
do {
  for (const suite of suites) {
    const started = performance.now();
    const counts = suite === 'lint' ? await lint() : await tests(suite);
    total = add(total, counts);
    times.push(`${suite} ${((performance.now() - started) / 1000).toFixed(1)} s`);
    console.log(`-- ${times.at(-1)}: ${counts.passes} passed, ${counts.failures} failed\n`);
  }
} while (performance.now() < untilMs && total.failures === 0);

console.log(`times: ${times.join(', ')}`);
console.log(`${total.passes} passed, ${total.failures} failed`);
process.exitCode = total.failures > 0 || total.passes === 0 ? 1 : 0;

async function lint() {
  let counts = { passes: 0, failures: 0 };
  for (const [name, args] of LINT_CHECKS) {
    const code = await runNode(args, {}, SUITE_LIMIT_MS.lint);
    console.log(`  ${code === 0 ? '✔' : '✘'} ${name}`);
    counts = add(counts, { passes: code === 0 ? 1 : 0, failures: code === 0 ? 0 : 1 });
  }
  return counts;
}

/** One mocha process for the suite, in a directory for temporary files that is removed afterwards. */
async function tests(suite) {
  console.log(`== ${suite}`);
  if (!hasTests(join('test', suite))) {
    console.log(`  no tests in test/${suite}`);
    return { passes: 0, failures: 1 };
  }
  // Short, because sockets below it may have no more than 107 bytes in their path.
  const directory = mkdtempSync(join(tmpdir(), 'cf-'));
  // As open as the system's own: tests that run as root also try things as another user.
  chmodSync(directory, 0o755);
  temporary = directory;
  const countsFile = join(directory, 'counts.json');
  const figuresFile = process.env.FAULT_FIGURES ?? join(directory, 'figures.jsonl');
  const args = [
    'node_modules/mocha/bin/mocha.js',
    '--reporter',
    'tools/spec-and-count.mjs',
    `test/${suite}/**/*.test.ts`,
    ...(only === undefined ? [] : ['--grep', only]),
  ];
  const code = await runNode(
    args,
    { TMPDIR: directory, TEST_COUNTS_FILE: countsFile, FAULT_FIGURES: figuresFile },
    SUITE_LIMIT_MS[suite],
  );
  killLeftovers();
  const counts = readCounts(countsFile);
  if (existsSync(figuresFile)) console.log(figuresTable(figuresFile));
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  if (counts === undefined) {
    console.log(`  the suite ended early, with exit code ${code}; what is above says why`);
    return { passes: 0, failures: 1 };
  }
  // An error outside of any test (a rejection that nobody caught) shows in the exit code alone.
  return code !== 0 && counts.failures === 0 ? add(counts, { passes: 0, failures: 1 }) : counts;
}

/** Runs node in a process group of its own; resolves to the exit code, 124 where it took too long. */
function runNode(args, env, limitMs) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
      env: { ...process.env, ...env, TEST_RUN: run },
    });
    current = child;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      console.log(`  took longer than ${limitMs / 1000} s, ended`);
      killGroup(child.pid);
    }, limitMs);
    child.on('close', (code) => {
      clearTimeout(timer);
      current = undefined;
      killGroup(child.pid);
      resolve(isLate ? 124 : (code ?? 1));
    });
  });
}

/** Which Node, etcd and influxd this machine has: the release of the system decides the last two. */
async function surroundings() {
  const versions = [
    [process.execPath, '--version'],
    ['etcd', '--version'],
    ['influxd', 'version'],
  ].map(async ([program, flag]) => {
    // A program that is missing is said by the suite that needs it.
    const text = await promisify(execFile)(program, [flag]).then(
      ({ stdout }) => /\d+\.\d+\.\d+\S*/.exec(stdout)?.[0] ?? 'unknown',
      () => 'none',
    );
    return `${basename(program)} ${text}`;
  });
  return (await Promise.all(versions)).join('; ');
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in the group, which is what was wanted.
  }
}

/** Ends what a suite started and left behind, also in groups of its own, by the mark in its environment (Linux). */
function killLeftovers() {
  if (!existsSync('/proc/self/environ')) return;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const isOurs = readFileSync(`/proc/${pid}/environ`, 'utf8')
        .split('\0')
        .includes(`TEST_RUN=${run}`);
      if (!isOurs) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      process.kill(Number(pid), 'SIGKILL');
      console.log(`  left behind, ended: ${pid} ${command.slice(0, 120)}`);
    } catch {
      // It ended in between, or belongs to another user: then it is none of ours.
    }
  }
}

function hasTests(directory) {
  return (
    existsSync(directory) &&
    readdirSync(directory, { recursive: true }).some((file) => file.endsWith('.test.ts'))
  );
}

function readCounts(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // mocha did not come to its end; the caller says so.
    return undefined;
  }
}

function add(a, b) {
  return { passes: a.passes + b.passes, failures: a.failures + b.failures };
}

function readArguments() {
  const args = process.argv.slice(2);
  const at = args.indexOf('--minutes');
  const minutes = at < 0 ? 0 : Number(args.splice(at, 2)[1]);
  const onlyAt = args.indexOf('--only');
  const only = onlyAt < 0 ? undefined : args.splice(onlyAt, 2)[1];
  const unknown = args.filter((suite) => !(suite in SUITE_LIMIT_MS));
  if (unknown.length > 0 || args.length === 0 || Number.isNaN(minutes)) {
    console.error(
      `usage: run-tests.mjs [--minutes N] [--only WORDS] ${Object.keys(SUITE_LIMIT_MS).join('|')}…`,
    );
    process.exit(2);
  }
  return { suites: args, only, untilMs: performance.now() + minutes * 60_000 };
}
