// The keys for people: a complete commented file for `config sample`, and the tables of docs/configuration.md. Pure.
import { stringify } from 'smol-toml';
import { allKeys, sectionNames, VARIABLE_ALIASES, type Key } from './keys.js';
import type { RawValue } from './key-types.js';

const SECTION_TITLES: Readonly<Record<string, string>> = {
  manager: 'The manager: an HTTP service that keeps nodes and versioned metadata.',
  etcd: 'The store of the managers, where manager.store is "etcd".',
  agent: 'The agent: the sidecar of one influxd.',
  influxdb: 'The local influxd, as the agent reaches it.',
  gateway: "The agent's InfluxDB-compatible endpoint.",
  placement: 'Where shards are kept.',
  handoff: 'Writes kept on disk for owners that could not take them.',
  guard: 'Mass drops wait for a person.',
  sync: 'What is shared.',
  log: 'The log of all programs.',
};

/** A config.toml that names every key with its default, all commented out: read as it is, it changes nothing. */
export function sampleToml(): string {
  const head = [
    '# ClusterFlux configuration. Looked for as ./config.toml, $HOME/.clusterflux/config.toml, /etc/clusterflux/config.toml,',
    '# or given by --config. Each key stands here with its default; remove the # to change it.',
    '# Durations: 1h30m (ms s m h d). Sizes: B KiB MiB GiB. Every key has an environment variable, CLUSTERFLUX_SECTION_KEY.',
  ].join('\n');
  const sections = sectionNames().map((section) => {
    const keys = allKeys().filter((key) => key.section === section);
    return [`# ${SECTION_TITLES[section] ?? ''}`, `[${section}]`, ...keys.map(sampleKey)].join(
      '\n',
    );
  });
  return `${[head, ...sections].join('\n\n')}\n`;
}

function sampleKey(key: Key): string {
  const note = key.isLater ? ' (No effect in this release.)' : '';
  const lines = [`# ${key.description}${note}`];
  if (key.default === undefined) {
    lines.push(
      `# Default: ${key.defaultText ?? 'none'}. Expected: ${key.expects}.`,
      `# ${key.name} =`,
    );
  } else {
    lines.push(`# ${tomlLine(key.name, key.default)}`);
  }
  return lines.join('\n');
}

/** `name = value` in TOML. */
export function tomlLine(name: string, value: RawValue): string {
  return stringify({ [name]: value }).trim();
}

/** One Markdown table per section. */
export function keyTables(): string {
  return sectionNames()
    .map((section) => {
      const keys = allKeys().filter((key) => key.section === section);
      const head = ['| key | default | environment | what it is |', '|---|---|---|---|'];
      const title = `### [${section}]\n\n${SECTION_TITLES[section] ?? ''}\n`;
      return [title, ...head, ...keys.map(tableRow)].join('\n');
    })
    .join('\n\n');
}

function tableRow(key: Key): string {
  const alias = Object.entries(VARIABLE_ALIASES).find(([, path]) => path === key.path)?.[0];
  const variable =
    alias === undefined ? `\`${key.variable}\`` : `\`${key.variable}\`, \`${alias}\``;
  const fallback =
    key.default === undefined ? (key.defaultText ?? 'none') : `\`${JSON.stringify(key.default)}\``;
  const note = key.isLater ? ' *No effect in this release.*' : '';
  const cells = [
    `\`${key.name}\``,
    fallback,
    variable,
    `${key.description} Expects ${key.expects}.${note}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
