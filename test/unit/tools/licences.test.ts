// The check of licences and the bill of materials, on this checkout's own lockfile.
import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../support/temp-dir.js';

const checkout = resolve(import.meta.dirname, '../../..');
const run = promisify(execFile);

interface Component {
  readonly 'bom-ref': string;
  readonly purl: string;
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
}

interface Bom {
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface Licences {
  readonly isAllowed: (expression: unknown) => boolean;
}

describe('the supply chain', () => {
  it('takes a licence only where all, or one of several to choose from, are on the list', async () => {
    const { isAllowed } = (await import(join(checkout, 'tools/licences.mjs'))) as Licences;
    for (const fine of ['MIT', '(Apache-2.0 AND BSD-3-Clause)', '(GPL-3.0 OR MIT)']) {
      expect(isAllowed(fine), fine).to.equal(true);
    }
    const bad = ['GPL-3.0', '(MIT AND GPL-3.0)', 'SEE LICENSE IN x', '', undefined, 'UNLICENSED'];
    for (const each of bad) expect(isAllowed(each), String(each)).to.equal(false);
  });

  it('makes the same bill of materials twice, whole, and without addresses of where things came from', async () => {
    const directory = await temporaryDirectory('sbom');
    const files = ['a', 'b'].map((name) => join(directory.path, name));
    for (const file of files)
      await run(process.execPath, ['tools/sbom.mjs', file], { cwd: checkout });
    const [one, two] = await Promise.all(files.map((file) => readFile(file, 'utf8')));
    await directory.remove();
    expect(one).to.equal(two);
    expect(one).to.not.match(/\.tgz|registry/);
    const { components, dependencies } = JSON.parse(one ?? '') as Bom;
    const lockfile = JSON.parse(await readFile(join(checkout, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, unknown>;
    };
    const refs = new Set(components.map((component) => component['bom-ref']));
    expect(refs.size).to.equal(Object.keys(lockfile.packages).length - 1);
    for (const { dependsOn } of dependencies)
      for (const ref of dependsOn) expect(refs).to.include(ref);
    const etcd3 = components.find(({ purl }) => purl.startsWith('pkg:npm/etcd3@'));
    expect(etcd3?.hashes[0]?.alg).to.equal('SHA-512');
    expect(etcd3?.hashes[0]?.content).to.match(/^[0-9a-f]{128}$/);
  });
});
