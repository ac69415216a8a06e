// What the local influxd has: from its memory while it runs, from its file while it is stopped, and what that is worth.
import type { InfluxControl, LoadedShard, MetaFile } from '../influxd/port.js';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import type { Lineage } from '../../shared/meta/lineage.js';
import { lineageOf } from '../../shared/meta/lineage.js';
import type { Schema } from '../../shared/meta/model.js';
import { emptyData, INTERNAL_DATABASE, readSchema } from '../../shared/meta/snapshot.js';

export interface LocalState {
  /** `none`: there is no meta.db, so nothing is known to be here. */
  readonly source: 'memory' | 'file' | 'none';
  readonly data: Data;
  readonly schema: Schema;
  readonly lineage: Lineage;
  /** The name of the monitoring database. */
  readonly internal: string;
  /** The file's bytes, where it was read: an offline write must find them unchanged. */
  readonly fileBytes: Buffer | undefined;
}

export class LocalObserver {
  private internal: string | undefined;
  private version: string | undefined;
  private last: LocalState | undefined;
  /** The meta directory was seen to be that of the influxd that answers; asked once per contact. */
  private hasSeenOwnFile = false;

  constructor(private readonly control: InfluxControl) {}

  /** As `ping` gave it last; undefined before influxd answered. */
  get serverVersion(): string | undefined {
    return this.version;
  }

  /** The state in memory; where the backup port is off, the file of a running server (drops then wait for proof). */
  async observeRunning(signal: AbortSignal): Promise<LocalState> {
    try {
      const data = await this.control.readMemory(signal);
      await this.learnServer(signal);
      await this.checkFile(data, signal);
      return this.stateOf('memory', data, undefined);
    } catch (error) {
      if (!isAppError(error, 'influxd-unreachable')) throw error;
      const identity = await this.control.ping(signal);
      if (identity === undefined) {
        this.forgetServer();
        throw error;
      }
    }
    return this.observeFile(signal);
  }

  /** The file. Throws `meta-unreadable` where it is there and no metadata: an empty or torn file is never taken for a schema. */
  async observeFile(
    signal: AbortSignal,
    reader: Pick<InfluxControl, 'readFile'> = this.control,
  ): Promise<LocalState> {
    const file = await reader.readFile(signal);
    if (file.kind === 'invalid') {
      throw new AppError(
        'meta-unreadable',
        `reading meta.db: ${file.reason}; nothing was pushed or changed; put a good file back with \`clusterflux agent restore\` while influxd is stopped`,
      );
    }
    if (file.kind === 'missing') return this.stateOf('none', emptyData(), undefined);
    return this.stateOf('file', file.data, file.bytes);
  }

  async loadedShards(signal: AbortSignal): Promise<LoadedShard[]> {
    return this.control.loadedShards(signal);
  }

  forgetServer(): void {
    this.hasSeenOwnFile = false;
    this.version = undefined;
    this.internal = undefined;
  }

  /** An agent that is pointed at two servers would take copies of the one and write the file of the other. */
  private async checkFile({ ClusterID }: Data, signal: AbortSignal): Promise<void> {
    if (this.hasSeenOwnFile) return;
    const file = await this.readFileIfThere(signal);
    if (file?.kind !== 'found') return;
    if (file.data.ClusterID !== ClusterID) {
      throw new AppError(
        'config-invalid',
        `influxdb.meta-dir and influxdb.url are of two servers (meta.db there is of ClusterID ${file.data.ClusterID}, the influxd that answers is ${ClusterID}): nothing is changed; correct one of the two keys, or restart influxd where its meta.db was replaced while it ran`,
      );
    }
    this.hasSeenOwnFile = true;
  }

  /** What is in memory counts; a directory that can't be read only costs the watch. */
  private async readFileIfThere(signal: AbortSignal): Promise<MetaFile | undefined> {
    try {
      return await this.control.readFile(signal);
    } catch (error) {
      if (isAppError(error, 'meta-unreadable')) return undefined;
      throw error;
    }
  }

  /** Asked once per contact: version and the monitoring database's name do not change while influxd runs. */
  private async learnServer(signal: AbortSignal): Promise<void> {
    if (this.version === undefined) this.version = (await this.control.ping(signal))?.version;
    if (this.internal === undefined && this.version !== undefined) {
      this.internal = await this.control.internalDatabase(signal);
    }
  }

  private stateOf(
    source: LocalState['source'],
    data: Data,
    fileBytes: Buffer | undefined,
  ): LocalState {
    const internal = this.internal ?? INTERNAL_DATABASE;
    const { last } = this;
    // Most looks find nothing new, and then find the same message.
    if (last?.data === data && last.source === source && last.internal === internal) return last;
    const options = { internal };
    this.last = {
      source,
      data,
      schema: readSchema(data, options),
      lineage: lineageOf(data, options),
      internal,
      fileBytes,
    };
    return this.last;
  }
}
