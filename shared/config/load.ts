// Reads the configuration: flag over environment over file over default, then the schema, then the checks between keys.
// Every value remembers where it came from. The first thing that is wrong is an AppError that names place and remedy.
import { z } from 'zod';
import { AppError } from '../errors/app-error.js';
import { checkAcrossKeys } from './checks.js';
import type { Config } from './config.js';
import { toConfig } from './convert.js';
import { computedDefaults, type MachineFacts } from './defaults.js';
import type { RawValue } from './key-types.js';
import { allKeys, sectionNames } from './keys.js';
import { nearest } from './nearest.js';
import { configSchema } from './schema.js';
import {
  findConfigFile,
  readConfigFile,
  readEnvironment,
  readFlags,
  type FlagSetting,
  type Setting,
  type Source,
} from './sources.js';

export interface LoadOptions {
  /** Of --config; undefined: the usual places are searched. */
  readonly file: string | undefined;
  readonly flags: readonly FlagSetting[];
  /** The working directory. */
  readonly directory: string;
  readonly facts: MachineFacts;
}

/** One key as it is in effect, for `config print`. */
export interface EffectiveValue {
  readonly path: string;
  /** As it would stand in the file; undefined where there is none. */
  readonly value: RawValue | undefined;
  readonly source: Source;
}

export interface LoadedConfig {
  readonly config: Config;
  /** The file that was read, if any. */
  readonly file: string | undefined;
  readonly values: readonly EffectiveValue[];
  /** One sentence each, to be said at start. */
  readonly warnings: readonly string[];
}

/** @throws AppError `config-invalid` */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const file = options.file ?? findConfigFile(options.directory, options.facts.home);
  const environment = readEnvironment(options.facts.env);
  const settings = [
    ...defaultSettings(options.facts),
    ...(file === undefined ? [] : readConfigFile(file)),
    ...environment.settings,
    ...readFlags(options.flags),
  ];
  const { tree, sources } = overlay(settings);
  const result = configSchema.safeParse(tree);
  if (!result.success) throw invalid(result.error, tree, sources);
  const config = toConfig(result.data);
  checkAcrossKeys(config);

  const values = allKeys().map((key) => ({
    path: key.path,
    value: tree[key.section]?.[key.name] as RawValue | undefined,
    source: sources.get(key.path) ?? { kind: 'default' as const },
  }));
  return { config, file, values, warnings: [...environment.warnings, ...withoutEffect(values)] };
}

type Tree = Record<string, Record<string, unknown>>;

function defaultSettings(facts: MachineFacts): Setting[] {
  const computed = computedDefaults(facts);
  return allKeys().flatMap((key) => {
    const value = computed.get(key.path) ?? key.default;
    if (value === undefined) return [];
    return [{ section: key.section, name: key.name, value, source: { kind: 'default' as const } }];
  });
}

/** Later settings win; unknown sections and keys go in as well, so that the schema sees them. */
function overlay(settings: readonly Setting[]): { tree: Tree; sources: Map<string, Source> } {
  const tree: Tree = Object.fromEntries(sectionNames().map((section) => [section, {}]));
  const sources = new Map<string, Source>();
  for (const { section, name, value, source } of settings) {
    if (name === '') {
      throw new AppError(
        'config-invalid',
        `${placeOf(source)}: ${section}: expected a table ([${section}] with keys below it), got ${show(value)}`,
      );
    }
    tree[section] = { ...tree[section], [name]: value };
    sources.set(`${section}.${name}`, source);
  }
  return { tree, sources };
}

/** The first issue as one sentence: where, which key, what is expected, what stands there. */
function invalid(error: z.ZodError, tree: Tree, sources: Map<string, Source>): AppError {
  const issue = error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    return unknownKey(issue.path.map(String), issue.keys[0] ?? '', sources);
  }
  const [section = '', name = ''] = (issue?.path ?? []).map(String);
  const path = `${section}.${name}`;
  const key = allKeys().find((each) => each.path === path);
  const expects = key?.expects ?? 'something else';
  const place = placeOf(sources.get(path));
  const message = `${place}: ${path}: expected ${expects}, got ${show(tree[section]?.[name])}`;
  return new AppError('config-invalid', message, { details: { key: path } });
}

function unknownKey(parents: string[], name: string, sources: Map<string, Source>): AppError {
  const path = [...parents, name].join('.');
  const isSection = parents.length === 0;
  const source = [...sources].find(([each]) => each === path || each.startsWith(`${path}.`))?.[1];
  const candidates = isSection ? sectionNames() : allKeys().map((key) => key.path);
  const meant = nearest(path, candidates);
  const hint =
    meant === undefined ? 'see `clusterflux config sample` for all keys' : `did you mean ${meant}?`;
  const what = isSection ? `there is no section [${name}]` : `there is no key ${path}`;
  return new AppError('config-invalid', `${placeOf(source)}: ${what}; ${hint}`, {
    details: { key: path },
  });
}

function withoutEffect(values: readonly EffectiveValue[]): string[] {
  const isLater = new Set(
    allKeys()
      .filter((key) => key.isLater)
      .map((key) => key.path),
  );
  return values
    .filter((each) => isLater.has(each.path) && each.source.kind !== 'default')
    .map(
      (each) =>
        `${each.path} is accepted, but has no effect in this release (${placeOf(each.source)})`,
    );
}

/** The source in words, as an error begins with it. */
export function placeOf(source: Source | undefined): string {
  if (source === undefined || source.kind === 'default') return 'the defaults';
  return source.name;
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'bigint' ? inner.toString() : inner,
  );
}
