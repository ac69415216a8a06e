// The meta.db writer of a running agent. Usually as any other: it touches nothing while influxd runs. While it is armed (by
// the restart procedure alone) it prepares all while influxd still serves, and has it stopped for no longer than a rename takes.
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import { sleep } from '../../shared/lifecycle/backoff.js';
import { decodeSnapshot, encodeSnapshot } from '../../shared/meta/codec.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import type { Schema } from '../../shared/meta/model.js';
import { prepareOffline } from '../influxd/offline-writer.js';
import type { InfluxControl, MetaFile } from '../influxd/port.js';
import type { MetaWriter } from '../sync/apply-offline.js';
import type { LocalState } from '../sync/observe.js';

export interface RestartWriterOptions {
  readonly metaDir: string;
  /** What writes while nobody has armed this one. */
  readonly plain: MetaWriter;
  readonly influxd: Pick<InfluxControl, 'readFile' | 'readMemory'>;
}

/** Stops influxd; calls `whenStopped` in the moment in which it has ended. Throws as `InfluxdSwitch.stop`. */
export type StopInfluxd = (whenStopped: () => void, signal: AbortSignal) => Promise<void>;

export class RestartWriter implements MetaWriter {
  private stopInfluxd: StopInfluxd | undefined;

  constructor(private readonly options: RestartWriterOptions) {}

  /** Until it is disarmed, a write stops influxd by `stop`; starting it again is the caller's. */
  arm(stop: StopInfluxd): void {
    this.stopInfluxd = stop;
  }

  disarm(): void {
    this.stopInfluxd = undefined;
  }

  readFile(signal: AbortSignal): Promise<MetaFile> {
    if (this.stopInfluxd === undefined) return this.options.plain.readFile(signal);
    return this.readWhileRunning(signal);
  }

  compose(local: LocalState, target: Schema, signal: AbortSignal): Promise<Data> {
    return this.options.plain.compose(local, target, signal);
  }

  shardsOnDisk(signal: AbortSignal): ReturnType<MetaWriter['shardsOnDisk']> {
    return this.options.plain.shardsOnDisk(signal);
  }

  async write(data: Data, expected: Buffer | undefined, signal: AbortSignal): Promise<void> {
    const { stopInfluxd, options } = this;
    if (stopInfluxd === undefined) return options.plain.write(data, expected, signal);
    const { metaDir } = options;
    const prepared = await prepareOffline({ metaDir, expected, data });
    let outcome: 'written' | 'changed' | undefined;
    try {
      await stopInfluxd(() => {
        outcome = prepared.putInPlace();
      }, signal);
    } finally {
      await prepared.end();
    }
    if (outcome === 'written') return;
    throw new AppError(
      'version-conflict',
      `writing meta.db in ${metaDir}: influxd changed it while it was being stopped, so it was left alone; it is tried again`,
      { status: 409, retryable: true },
    );
  }

  /**
   * The file of a running influxd is what it has in memory, but in the moment of a change. Where it is another one (put there
   * by somebody, or by a write of ours that influxd was too quick for), memory counts, as it does for influxd's next write.
   */
  private async readWhileRunning(signal: AbortSignal): Promise<MetaFile> {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt += 1) {
      const before = await this.options.influxd.readFile(signal);
      const memory = await this.readMemory(signal);
      const file = await this.options.influxd.readFile(signal);
      if (file.kind === 'missing') throw this.missing();
      if (file.kind === 'invalid' || memory === undefined) return file;
      const isQuiet = before.kind === 'found' && before.bytes.equals(file.bytes);
      if (isQuiet && isOtherLine(file.data, memory)) {
        // A message of its own, as one from a file is.
        return { ...file, data: decodeSnapshot(encodeSnapshot(memory)) };
      }
      if (isQuiet && file.data.Index === memory.Index) return file;
      await sleep(READ_PAUSE_MS, signal);
    }
    throw new AppError(
      'influxd-unreachable',
      `reading meta.db in ${this.options.metaDir}: it keeps changing under influxd; it is tried again`,
      { retryable: true },
    );
  }

  /** A new file would forget every shard group: influxd itself has to write it, as it does at its next change. */
  private missing(): AppError {
    return new AppError(
      'meta-unreadable',
      `reading meta.db in ${this.options.metaDir}: it is not there, though influxd runs; influxd writes it again at the next change of its metadata`,
    );
  }

  /** Undefined where influxd does not run, or its backup port is off. */
  private async readMemory(signal: AbortSignal): Promise<Data | undefined> {
    try {
      return await this.options.influxd.readMemory(signal);
    } catch (error) {
      if (!isAppError(error, 'influxd-unreachable')) throw error;
      return undefined;
    }
  }
}

/** A change of metadata takes influxd 4 to 16 ms, so that ten looks see it through. */
const READ_ATTEMPTS = 10;
const READ_PAUSE_MS = 20;

function isOtherLine(file: Data, memory: Data): boolean {
  return file.ClusterID !== memory.ClusterID || file.Term !== memory.Term;
}
