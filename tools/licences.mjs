// Fails where a package that is used, or used in developing, has a licence that is not on the list, or where package.json or
// .npmrc would let an install take something else than what was looked at. usage: licences.mjs
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockedPackages, readJson, root } from './lockfile.mjs';

/** Licences that ask for nothing but to be named. PSF-2.0 and Python-2.0: argparse, a port of Python's, used in developing. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Python-2.0',
]);

/** A version, and no range of them. */
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

/** Lines that .npmrc must have: what is installed runs nothing, and is saved with its exact version. */
const NPMRC = ['ignore-scripts=true', 'save-exact=true'];

/** True for `MIT`, `(A AND B)` with both allowed, `A OR B` with one; anything that is not so simple is not allowed. */
export function isAllowed(expression) {
  if (typeof expression !== 'string') return false;
  const text = expression.trim().replace(/^\(([^()]*)\)$/, '$1');
  if (text.includes(' OR ')) return text.split(' OR ').some(isAllowed);
  if (text.includes(' AND ')) return text.split(' AND ').every(isAllowed);
  return ALLOWED.has(text);
}

export function problems() {
  const packages = lockedPackages();
  const { dependencies, devDependencies, overrides } = readJson('package.json');
  const npmrc = readFileSync(join(root, '.npmrc'), 'utf8').split('\n');
  return [
    ...packages
      .filter(({ licence }) => !isAllowed(licence))
      .map(({ path, version, licence }) => `${path} ${version}: licence ${licence ?? 'not named'}`),
    ...packages
      .filter(({ integrity }) => integrity === undefined)
      .map(({ path }) => `${path}: the lockfile has no checksum of it`),
    ...ranges({ ...dependencies, ...devDependencies }),
    ...Object.entries(overrides ?? {}).flatMap(([name, versions]) =>
      typeof versions === 'string' ? ranges({ [name]: versions }) : ranges(versions),
    ),
    ...NPMRC.filter((line) => !npmrc.includes(line)).map((line) => `.npmrc: ${line} is missing`),
  ];
}

function ranges(versions) {
  return Object.entries(versions)
    .filter(([, version]) => !EXACT.test(version))
    .map(([name, version]) => `package.json: ${name} is ${version}, which is no exact version`);
}

if (process.argv[1] === import.meta.filename) {
  const found = problems();
  for (const problem of found) console.error(problem);
  if (found.length > 0) process.exitCode = 1;
  else
    console.log(`${lockedPackages().length} packages: licences, checksums and versions are fine`);
}
