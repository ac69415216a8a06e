// Where values come from, and reading each place: the TOML file, the environment. Nothing is judged here but TOML's
// grammar; types and unknown keys are the schema's matter.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { AppError, messageOf } from '../errors/app-error.js';
import { allKeys, ENVIRONMENT_PREFIX, VARIABLE_ALIASES, type Key } from './keys.js';
import { nearest } from './nearest.js';

/** Where a value came from; `name` is the file, the variable or the flag. */
export type Source =
  | { readonly kind: 'default' }
  | { readonly kind: 'file' | 'environment' | 'flag'; readonly name: string };

/** A value before it is checked, with its source. */
export interface Setting {
  readonly section: string;
  readonly name: string;
  readonly value: unknown;
  readonly source: Source;
}

/** A flag that sets a key: `{ path: 'manager.store', value: 'etcd', flag: '--store' }`. */
export interface FlagSetting {
  readonly path: string;
  readonly value: string | boolean;
  readonly flag: string;
}

/** The first config.toml of the places in design order that is there; undefined where none is. */
export function findConfigFile(directory: string, home: string): string | undefined {
  const places = [directory, join(home, '.clusterflux'), '/etc/clusterflux'];
  return places.map((place) => join(place, 'config.toml')).find((file) => existsSync(file));
}

/** @throws AppError `config-invalid` where it can't be read, or is no TOML. */
export function readConfigFile(file: string): Setting[] {
  const source: Source = { kind: 'file', name: file };
  return Object.entries(parseFile(file)).flatMap(([section, table]) => {
    if (!isTable(table)) return [{ section, name: '', value: table, source }];
    return Object.entries(table).map(([name, value]) => ({ section, name, value, source }));
  });
}

function parseFile(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const message = `reading the configuration ${file} failed: ${messageOf(error)}; give another with --config`;
    throw new AppError('config-invalid', message, { cause: error });
  }
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The library's message goes on with an excerpt over several lines; its first line says what is wrong.
    const reason = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '');
    const place = `${file}:${error.line}:${error.column}`;
    throw new AppError('config-invalid', `${place}: this is not valid TOML: ${reason}`, {
      cause: error,
    });
  }
}

/**
 * CLUSTERFLUX_* and the original's names. An empty variable counts as not set. Unknown names only warn, because
 * Kubernetes puts names of Services, which may begin alike, into every container.
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): {
  readonly settings: Setting[];
  readonly warnings: string[];
} {
  const keys = allKeys();
  const settings: Setting[] = [];
  const take = (key: Key, variable: string): void => {
    const text = env[variable];
    if (text === undefined || text === '') return;
    const source: Source = { kind: 'environment', name: variable };
    settings.push({ section: key.section, name: key.name, value: fromText(key, text), source });
  };
  // In this order, because the later one wins.
  for (const [alias, path] of Object.entries(VARIABLE_ALIASES)) {
    const key = keys.find((each) => each.path === path);
    if (key !== undefined) take(key, alias);
  }
  for (const key of keys) take(key, key.variable);

  const known = keys.map((key) => key.variable);
  const warnings = Object.keys(env)
    .filter((variable) => variable.startsWith(ENVIRONMENT_PREFIX) && !known.includes(variable))
    .map((variable) => {
      const meant = nearest(variable, known);
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
      return `the environment variable ${variable} is not a configuration key and is ignored${hint}`;
    });
  return { settings, warnings };
}

export function readFlags(flags: readonly FlagSetting[]): Setting[] {
  const keys = allKeys();
  return flags.map(({ path, value, flag }) => {
    const key = keys.find((each) => each.path === path);
    if (key === undefined) throw new Error(`${flag} sets ${path}, which is no key`);
    const typed = typeof value === 'string' ? fromText(key, value) : value;
    return {
      section: key.section,
      name: key.name,
      value: typed,
      source: { kind: 'flag', name: flag },
    };
  });
}

/** Text as the TOML value that the key would have; what does not fit stays text, and the schema refuses it. */
function fromText(key: Key, text: string): unknown {
  switch (key.kind) {
    case 'text':
      return text;
    case 'list':
      return text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
    case 'integer':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' || text === 'false' ? text === 'true' : text;
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
  );
}
