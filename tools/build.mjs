// Bundles the command line (and with it manager and agent) into dist/: ESM for Node 20, split into chunks, so that the
// agent never loads what only the manager needs. Does nothing where no input has changed since the last build.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** With failpoints, for test/fault only: beside the release, which knows nothing of them. */
const isTestBuild = process.argv.includes('--failpoints');
const dist = join(root, isTestBuild ? 'dist-failpoints' : 'dist');
const stamp = join(dist, 'build.json');

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const commit = gitCommit();
/** Besides the bundled modules, these decide what comes out. */
const alwaysInputs = ['package.json', 'package-lock.json', 'tools/build.mjs', 'tsconfig.json'];
const entryPoints = {
  clusterflux: 'cli/main.ts',
  // A thread begins with a file of its own (agent/gateway/auth/bcrypt-pool.ts).
  'bcrypt-worker': 'agent/gateway/auth/bcrypt-worker.mjs',
  // The demonstration comes with the sources only where its folder is there.
  ...(existsSync(join(root, 'tools/demo/main.ts')) ? { demo: 'tools/demo/main.ts' } : {}),
};

const before = readStamp();
if (before !== undefined && before.digest === digestOf(before.inputs)) {
  process.exit(0);
}

// Built beside and renamed at the end: a build that fails, or is interrupted, leaves no half of a bundle.
const fresh = `${dist}.new`;
rmSync(fresh, { recursive: true, force: true });
mkdirSync(join(fresh, 'lib'), { recursive: true });

/** zod brings its messages in fifty languages and no way to leave them out; English alone is a third of a megabyte less to load. */
const englishOnly = {
  name: 'english-only',
  setup(bundle) {
    bundle.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    }));
  },
};

/** axios brings all media types there are, for uploads of forms; nothing here uploads one. 2 MiB less in a running agent. */
const withoutMediaTypes = {
  name: 'without-media-types',
  setup(bundle) {
    bundle.onLoad({ filter: /[\\/]mime-db[\\/]index\.js$/ }, () => ({
      contents: 'module.exports = {};',
    }));
  },
};

/** Each call is a statement of its own (shared/failpoint/failpoint.ts); without calls the file is not bundled. */
const FAILPOINT = /^[ \t]*await reached\('[a-z.-]+'\);$/gm;

const withoutFailpoints = {
  name: 'without-failpoints',
  setup(bundle) {
    bundle.onLoad({ filter: /[\\/](agent|manager|shared)[\\/].*\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      if (!text.includes('await reached(')) return undefined;
      return { contents: text.replaceAll(FAILPOINT, ''), loader: 'ts' };
    });
  },
};

const started = performance.now();
const result = await build({
  absWorkingDir: root,
  entryPoints,
  outdir: join(fresh, 'lib'),
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  chunkNames: 'chunk-[hash]',
  sourcemap: false,
  legalComments: 'none',
  // Names stay readable in stack traces; white space goes, because less text is parsed sooner.
  minifyWhitespace: true,
  minifySyntax: true,
  metafile: true,
  plugins: [englishOnly, withoutMediaTypes, ...(isTestBuild ? [] : [withoutFailpoints])],
  logLevel: 'warning',
  define: {
    CLUSTERFLUX_VERSION: JSON.stringify(version),
    CLUSTERFLUX_COMMIT: JSON.stringify(commit),
  },
  // CommonJS dependencies inside an ES module still expect these three.
  banner: {
    js: [
      "import{createRequire as cfCreateRequire}from'node:module';",
      "import{fileURLToPath as cfFileURLToPath}from'node:url';",
      "import{dirname as cfDirname}from'node:path';",
      'const require=cfCreateRequire(import.meta.url);',
      'const __filename=cfFileURLToPath(import.meta.url);',
      'const __dirname=cfDirname(__filename);',
    ].join(''),
  },
});

// etcd3 reads its protocol at run time from ../proto, seen from its own file: so it lies beside dist/lib.
const proto = join(root, 'node_modules/etcd3/proto');
cpSync(proto, join(fresh, 'proto'), { recursive: true });
// The launcher imports dist/lib/clusterflux.js; dist/demo.js is what `make demo` runs.
if ('demo' in entryPoints) writeFileSync(join(fresh, 'demo.js'), "import './lib/demo.js';\n");

const inputs = [...new Set([...Object.keys(result.metafile.inputs), ...alwaysInputs])]
  .filter((file) => existsSync(join(root, file)))
  .sort();
const record = { version, commit, digest: digestOf(inputs), inputs };
writeFileSync(join(fresh, 'build.json'), `${JSON.stringify(record)}\n`);
writeFileSync(join(fresh, 'package.json'), '{ "type": "module" }\n');
rmSync(dist, { recursive: true, force: true });
renameSync(fresh, dist);
const took = Math.round(performance.now() - started);
process.stderr.write(
  `built ${relative(process.cwd(), dist) || '.'} (${version}, ${commit}) in ${took} ms\n`,
);

/** Over the content of all inputs, the entries and the commit; undefined where an input is gone. */
function digestOf(files) {
  const hash = createHash('sha256').update(`${version} ${commit} ${JSON.stringify(entryPoints)}`);
  for (const file of files) {
    const path = join(root, file);
    if (!existsSync(path)) return undefined;
    hash.update(`\0${file}\0`).update(readFileSync(path));
  }
  return hash.digest('hex');
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stamp, 'utf8'));
  } catch {
    // Not built yet, or half removed: both mean to build.
    return undefined;
  }
}

function gitCommit() {
  try {
    const options = { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], options).trim();
  } catch {
    // A source archive, no git here, or no commit yet.
    return 'unknown';
  }
}
