// The packages that package-lock.json names, as licences.mjs and sbom.mjs see them.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** JSON of a file below the checkout. */
export function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}

/** All but the project itself: `{path, name, version, licence, integrity, isDev, dependencies: [path]}`, in order of path. */
export function lockedPackages() {
  const packages = readJson('package-lock.json').packages;
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .map(([path, entry]) => ({
      path,
      name: entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version: entry.version,
      licence: installedLicence(path) ?? entry.license,
      integrity: entry.integrity,
      isDev: entry.dev === true || entry.devOptional === true,
      dependencies: pathsOf(packages, path, entry),
    }));
}

/** The paths that a package's dependencies resolve to; an optional one that the lockfile does not have is left out. */
export function pathsOf(packages, path, entry) {
  const names = Object.keys({
    ...entry.dependencies,
    ...entry.optionalDependencies,
    ...entry.peerDependencies,
    ...(path === '' ? entry.devDependencies : {}),
  });
  return [...new Set(names)]
    .map((name) => resolve(packages, path, name))
    .filter((found) => found !== undefined)
    .sort();
}

/** As Node does: in the package's own node_modules, then in those above it. */
function resolve(packages, path, name) {
  let at = path;
  for (;;) {
    const candidate = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (candidate in packages) return candidate;
    if (at === '') return undefined;
    at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')));
  }
}

/** What the package itself says, where it is installed: the lockfile only repeats what was true when it was written. */
function installedLicence(path) {
  const file = join(root, path, 'package.json');
  if (!existsSync(file)) return undefined;
  const { license, licenses } = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof license === 'string') return license;
  if (typeof license?.type === 'string') return license.type;
  return licenses?.map(({ type }) => type).join(' OR ');
}
