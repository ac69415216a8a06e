// Which build this is. The bundler puts the constants in (tools/build.mjs); run from the sources they are looked up.
import { readFileSync } from 'node:fs';

/** Replaced by the bundler; not defined when run from the sources. */
declare const CLUSTERFLUX_VERSION: string | undefined;
declare const CLUSTERFLUX_COMMIT: string | undefined;

export interface BuildInfo {
  /** Of package.json, e.g. `0.1.0`. */
  readonly version: string;
  /** Short git commit; `unknown` where it was built outside a checkout, `source` when run from the sources. */
  readonly commit: string;
  /** Node's own version, e.g. `20.19.0`. */
  readonly node: string;
}

export function buildInfo(): BuildInfo {
  const node = process.versions.node;
  if (typeof CLUSTERFLUX_VERSION === 'string' && typeof CLUSTERFLUX_COMMIT === 'string') {
    return { version: CLUSTERFLUX_VERSION, commit: CLUSTERFLUX_COMMIT, node };
  }
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  return { version, commit: 'source', node };
}
