// The meta.db writer of the influxd that the configuration names.
import type { Config } from '../../shared/config/config.js';
import { defaultDataDir } from '../influxd/disk-shards.js';
import { createMetaWriter } from '../influxd/meta-writer.js';
import { influxdRunState } from '../influxd/stopped.js';
import type { MetaWriter } from '../sync/apply-offline.js';

/** `assumeStopped`: a person said that influxd is stopped, by --offline. */
export function metaWriterOf(
  { influxdb }: Config,
  { assumeStopped }: { readonly assumeStopped: boolean },
): MetaWriter {
  const { metaDir, url, snapshotAddress } = influxdb;
  return createMetaWriter({
    metaDir,
    dataDir: influxdb.dataDir ?? defaultDataDir(metaDir),
    runState: () => influxdRunState({ url, snapshotAddress, metaDir }),
    assumeStopped,
  });
}
