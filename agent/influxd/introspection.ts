// What influxd says about itself by SHOW STATS and SHOW DIAGNOSTICS: loaded shards, its monitoring database, directories.
import { AppError } from '../../shared/errors/app-error.js';
import { INTERNAL_DATABASE } from '../../shared/meta/snapshot.js';
import type { InfluxHttpClient, Series } from './http-client.js';
import type { LoadedShard } from './port.js';

export interface Diagnostics {
  /** The monitoring database; `_internal` where influxd has its store switched off and doesn't say. */
  readonly internalDatabase: string;
  /** As influxd's configuration has them; undefined where it doesn't say. */
  readonly dataDir: string | undefined;
  readonly metaDir: string | undefined;
  readonly pid: number | undefined;
  /** RFC 3339; another one is another run of influxd. */
  readonly started: string | undefined;
}

/** Throws as `InfluxHttpClient.query`, and AppError `influxd-refused`. */
export async function readDiagnostics(
  client: InfluxHttpClient,
  signal?: AbortSignal,
): Promise<Diagnostics> {
  const series = await ask(client, 'SHOW DIAGNOSTICS', signal);
  const text = (name: string, column: string) => {
    const value = fieldOf(series, name, column);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const pid = fieldOf(series, 'system', 'PID');
  return {
    internalDatabase: text('config-monitor', 'store-database') ?? INTERNAL_DATABASE,
    dataDir: text('config-data', 'dir'),
    metaDir: text('config-meta', 'dir'),
    pid: typeof pid === 'number' ? pid : undefined,
    started: text('system', 'started'),
  };
}

/** The shards that influxd has open, with the names that their directories bear. Throws as `readDiagnostics`. */
export async function readLoadedShards(
  client: InfluxHttpClient,
  signal?: AbortSignal,
): Promise<LoadedShard[]> {
  const series = await ask(client, "SHOW STATS FOR 'shard'", signal);
  return series.flatMap(({ name, tags, columns, values }) => {
    const { id = '', database = '', retentionPolicy = '' } = tags ?? {};
    if (name !== 'shard' || !/^\d+$/.test(id)) return [];
    const bytes = values?.[0]?.[columns.indexOf('diskBytes')];
    const size = typeof bytes === 'number' ? { bytes } : {};
    return [{ id: BigInt(id), database, policy: retentionPolicy, ...size }];
  });
}

async function ask(
  client: InfluxHttpClient,
  statement: string,
  signal?: AbortSignal,
): Promise<readonly Series[]> {
  const answer = await client.query(statement, signal);
  if (answer.kind === 'done') return answer.series;
  throw new AppError(
    'influxd-refused',
    `asking influxd for ${statement}: ${answer.text}; the agent's account must be an administrator`,
    { status: 502 },
  );
}

function fieldOf(series: readonly Series[], name: string, column: string): unknown {
  const found = series.find((each) => each.name === name);
  return found?.values?.[0]?.[found.columns.indexOf(column)];
}
