// The bundle that the processes under test run: built once per test run, and copied away, so that somebody who builds or
// cleans the checkout meanwhile changes nothing under a running test.
import { execFile } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { temporaryDirectory } from './temp-dir.js';

/** What the npm package consists of, as far as it runs. */
const SHIPPED = ['bin', 'dist', 'package.json'];

const BUILD_WITHIN_MS = 60_000;

let built: Promise<string> | undefined;

/** The checkout; holds both for the sources in test/support and for the bundle in dist/lib. */
export const checkout = resolve(import.meta.dirname, '..', '..');

/** The path of a launcher, `bin/clusterflux`, over a copy of the newest bundle. */
export function builtLauncher(): Promise<string> {
  built ??= buildAndCopy();
  return built;
}

async function buildAndCopy(): Promise<string> {
  await promisify(execFile)(process.execPath, [join(checkout, 'tools/build.mjs')], {
    timeout: BUILD_WITHIN_MS,
  });
  const { path } = await temporaryDirectory('build');
  await mkdir(path, { recursive: true });
  for (const part of SHIPPED) await cp(join(checkout, part), join(path, part), { recursive: true });
  return join(path, 'bin/clusterflux');
}
