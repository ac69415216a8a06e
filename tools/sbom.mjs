// Writes a bill of materials (CycloneDX 1.5, JSON) of all that package-lock.json names. The same lockfile gives the same
// bytes; where packages were fetched from is left out. usage: sbom.mjs [FILE]   (dist/sbom.json where absent)
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lockedPackages, pathsOf, readJson, root } from './lockfile.mjs';

export function billOfMaterials() {
  const project = readJson('package.json');
  const packages = lockedPackages();
  const lockfile = readFileSync(join(root, 'package-lock.json'));
  const locked = readJson('package-lock.json').packages;
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuidOf(lockfile)}`,
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': project.name,
        name: project.name,
        version: project.version,
        description: project.description,
        licenses: [{ license: { id: project.license } }],
        purl: purlOf(project),
      },
    },
    components: packages.map((each) => ({
      type: 'library',
      'bom-ref': each.path,
      ...nameOf(each.name),
      version: each.version,
      // Excluded: used in developing only, and no part of what is shipped.
      scope: each.isDev ? 'excluded' : 'required',
      ...(each.integrity === undefined ? {} : { hashes: hashesOf(each.integrity) }),
      ...(each.licence === undefined ? {} : { licenses: [licenceOf(each.licence)] }),
      purl: purlOf(each),
    })),
    dependencies: [
      { ref: project.name, dependsOn: pathsOf(locked, '', locked['']) },
      ...packages.map(({ path, dependencies }) => ({ ref: path, dependsOn: dependencies })),
    ],
  };
}

/** A UUID of the content (version 8: made in a way of one's own). */
function uuidOf(bytes) {
  const hex = createHash('sha256').update(bytes).digest('hex');
  const variant = ((parseInt(hex[16], 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

function nameOf(name) {
  if (!name.startsWith('@')) return { name };
  const [group, rest] = name.split('/');
  return { group, name: rest };
}

function purlOf({ name, version }) {
  return `pkg:npm/${name.replace('@', '%40')}@${encodeURIComponent(version)}`;
}

const ALGORITHMS = { sha512: 'SHA-512', sha384: 'SHA-384', sha256: 'SHA-256', sha1: 'SHA-1' };

/** npm's `sha512-BASE64`, perhaps several. */
function hashesOf(integrity) {
  return integrity.split(' ').map((each) => {
    const at = each.indexOf('-');
    return {
      alg: ALGORITHMS[each.slice(0, at)],
      content: Buffer.from(each.slice(at + 1), 'base64').toString('hex'),
    };
  });
}

function licenceOf(text) {
  return /^[\w.-]+$/.test(text) ? { license: { id: text } } : { expression: text };
}

if (process.argv[1] === import.meta.filename) {
  const file = process.argv[2] ?? join(root, 'dist/sbom.json');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(billOfMaterials(), null, 2)}\n`);
  console.log(`${file}: ${billOfMaterials().components.length} components`);
}
