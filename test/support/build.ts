// The bundle that the processes under test run: built once per test run, and copied away, so that somebody who builds or
// cleans the checkout meanwhile changes nothing under a running test.
import { execFile } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { temporaryDirectory } from './temp-dir.js';

/** What the npm package consists of, as far as it runs, beside the bundle. */
const SHIPPED = ['bin', 'package.json'];

const BUILD_WITHIN_MS = 60_000;

/** `failpoints`: the same with the failpoints left in (shared/failpoint). */
export type Bundle = 'release' | 'failpoints';

const BUNDLES = {
  release: { folder: 'dist', flags: [] },
  failpoints: { folder: 'dist-failpoints', flags: ['--failpoints'] },
} as const;

const built = new Map<Bundle, Promise<string>>();

/** The checkout; holds both for the sources in test/support and for the bundle in dist/lib. */
export const checkout = resolve(import.meta.dirname, '..', '..');

/** The path of a launcher, `bin/clusterflux`, over a copy of the newest bundle. */
export function builtLauncher(bundle: Bundle = 'release'): Promise<string> {
  const launcher = built.get(bundle) ?? buildAndCopy(bundle);
  built.set(bundle, launcher);
  return launcher;
}

async function buildAndCopy(bundle: Bundle): Promise<string> {
  const { folder, flags } = BUNDLES[bundle];
  const build = join(checkout, 'tools/build.mjs');
  await promisify(execFile)(process.execPath, [build, ...flags], { timeout: BUILD_WITHIN_MS });
  const { path } = await temporaryDirectory('build');
  await mkdir(path, { recursive: true });
  for (const part of SHIPPED) await cp(join(checkout, part), join(path, part), { recursive: true });
  await cp(join(checkout, folder), join(path, 'dist'), { recursive: true });
  return join(path, 'bin/clusterflux');
}
