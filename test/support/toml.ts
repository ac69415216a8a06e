// Sections and keys as a TOML file: what the configuration files of tests and demo need, and no more of TOML than that.

/** Sections with their keys; section '' is the top level. Undefined values are left out. */
export type ConfigTable = Readonly<Record<string, Readonly<Record<string, ConfigValue>>>>;
export type ConfigValue = string | number | boolean | readonly string[];

/** Later tables win, key by key. */
export function mergeConfig<V>(
  ...tables: (Readonly<Record<string, Readonly<Record<string, V>>>> | undefined)[]
): Record<string, Record<string, V>> {
  const merged: Record<string, Record<string, V>> = {};
  for (const table of tables) {
    for (const [section, values] of Object.entries(table ?? {})) {
      merged[section] = { ...merged[section], ...values };
    }
  }
  return merged;
}

/** Strings, numbers, booleans and lists of strings are written alike in TOML and JSON. */
export function renderToml(table: ConfigTable): string {
  const lines: string[] = [];
  for (const [section, values] of Object.entries(table)) {
    if (section !== '') lines.push('', `[${section}]`);
    for (const [key, value] of Object.entries(values)) {
      lines.push(`${key} = ${JSON.stringify(value)}`);
    }
  }
  return `${lines.join('\n').trimStart()}\n`;
}
