// The InfluxControl port over a real influxd: statements by HTTP, metadata by its backup port, the file by the disk.
import { AppError } from '../../shared/errors/app-error.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import type { Address } from '../../shared/config/address.js';
import { formatAddress } from '../../shared/config/address.js';
import { unreachable } from './deadline.js';
import type { HttpClientOptions, InfluxHttpClient } from './http-client.js';
import { createHttpClient } from './http-client.js';
import type { Diagnostics } from './introspection.js';
import { readDiagnostics, readLoadedShards } from './introspection.js';
import { readMetaFile } from './meta-file.js';
import type {
  InfluxControl,
  InfluxdIdentity,
  LoadedShard,
  MetaFile,
  StatementResult,
} from './port.js';
import { requestMetadata } from './snapshot-client.js';

export interface InfluxControlOptions extends HttpClientOptions {
  readonly metaDir: string;
  /** influxd's backup port. */
  readonly snapshotAddress: Address;
}

/** The port, and what only a real influxd can say. */
export interface RealInfluxControl extends InfluxControl {
  /** SHOW DIAGNOSTICS: directories, process id, time of start. Throws as the port's calls do. */
  diagnostics(signal?: AbortSignal): Promise<Diagnostics>;
  /** As `execute`, for a statement that acts on the database of its request, and with a deadline of the caller's own. */
  executeOn(database: string, statement: string, signal: AbortSignal): Promise<StatementResult>;
}

/** Of a metadata request: it takes milliseconds, also with megabytes. */
const SNAPSHOT_DEADLINE_MS = 10_000;
/** Of a delete: it looks at all shards of a database. */
const DELETE_DEADLINE_MS = 60_000;

export function createInfluxControl(options: InfluxControlOptions): RealInfluxControl {
  return new HttpInfluxControl(createHttpClient(options), options);
}

class HttpInfluxControl implements RealInfluxControl {
  /** The last answer: equal bytes are the same message, so that who looks again need not compare anew. */
  private last: { readonly bytes: Buffer; readonly data: Data } | undefined;

  constructor(
    private readonly client: InfluxHttpClient,
    private readonly options: InfluxControlOptions,
  ) {}

  ping(signal?: AbortSignal): Promise<InfluxdIdentity | undefined> {
    return this.client.ping(signal);
  }

  async readMemory(signal?: AbortSignal): Promise<Data> {
    const { snapshotAddress: address, deadlineMs = SNAPSHOT_DEADLINE_MS } = this.options;
    const bytes = await requestMetadata(address, { deadlineMs, signal });
    if (this.last?.bytes.equals(bytes)) return this.last.data;
    try {
      const data = decodeSnapshot(bytes);
      this.last = { bytes, data };
      return data;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const what = `reading influxd's metadata on its backup port ${formatAddress(address)}`;
      throw unreachable(what, error.message, error);
    }
  }

  readFile(signal?: AbortSignal): Promise<MetaFile> {
    return readMetaFile(this.options.metaDir, signal);
  }

  loadedShards(signal?: AbortSignal): Promise<LoadedShard[]> {
    return readLoadedShards(this.client, signal);
  }

  async internalDatabase(signal?: AbortSignal): Promise<string> {
    return (await this.diagnostics(signal)).internalDatabase;
  }

  diagnostics(signal?: AbortSignal): Promise<Diagnostics> {
    return readDiagnostics(this.client, signal);
  }

  async execute(statement: string, signal?: AbortSignal): Promise<StatementResult> {
    const answer = await this.client.query(statement, signal);
    return answer.kind === 'done' ? { kind: 'done' } : answer;
  }

  async executeOn(
    database: string,
    statement: string,
    signal: AbortSignal,
  ): Promise<StatementResult> {
    const options = { database, deadlineMs: DELETE_DEADLINE_MS };
    const answer = await this.client.query(statement, signal, options);
    return answer.kind === 'done' ? { kind: 'done' } : answer;
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
