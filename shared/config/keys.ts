// The schema as a flat list of keys with their names in file and environment, for everything that walks over them.
import { keyInfos, type KeyInfo } from './key-types.js';
import { configSchema } from './schema.js';

export interface Key extends KeyInfo {
  readonly section: string;
  /** The name within its section, e.g. `bind-address`. */
  readonly name: string;
  /** `manager.bind-address`. */
  readonly path: string;
  /** `CLUSTERFLUX_MANAGER_BIND_ADDRESS`. */
  readonly variable: string;
}

export const ENVIRONMENT_PREFIX = 'CLUSTERFLUX_';

/** Names of the original that are honoured too; CLUSTERFLUX_* beats them. */
export const VARIABLE_ALIASES: Readonly<Record<string, string>> = {
  CLUSTER: 'agent.cluster',
  CFLUX_ENDPOINT: 'agent.endpoints',
};

/** All keys, in the order of the schema. */
export function allKeys(): Key[] {
  return Object.entries(configSchema.shape).flatMap(([section, table]) =>
    Object.entries(table.shape).map(([name, type]) => {
      const info = keyInfos.get(type);
      if (info === undefined) throw new Error(`${section}.${name} is not made by key-types.ts`);
      const path = `${section}.${name}`;
      return { ...info, section, name, path, variable: variableOf(path) };
    }),
  );
}

export function sectionNames(): string[] {
  return Object.keys(configSchema.shape);
}

function variableOf(path: string): string {
  return ENVIRONMENT_PREFIX + path.replace(/[.-]/g, '_').toUpperCase();
}
