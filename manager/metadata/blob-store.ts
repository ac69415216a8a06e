// Large values of the store: compressed, in chunks below etcd's request limit, each blob under an id of its own and never
// changed afterwards. The last chunk is the seal: it is put last, and whoever names the blob compares that it exists.
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import { reached } from '../../shared/failpoint/failpoint.js';
import { createBackoff, sleep } from '../../shared/lifecycle/backoff.js';
import type { ChunkKeys } from '../store/keys.js';
import type { Comparison, Operation, Store } from '../store/port.js';
import type { BlobRef } from './records.js';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Below 1 MiB, so that a chunk with its key fits into etcd's 1.5 MiB with room to spare. */
export const CHUNK_BYTES = 960 * 1024;

/** Up to here a blob is put by the transaction that names it; two of these and an inline copy fit into one request. */
export const SMALL_BLOB_BYTES = 256 * 1024;

/** Chunks per read: below the 4 MiB that a gRPC client takes by default. */
const CHUNKS_PER_READ = 3;

/** A blob that is ready to be named. */
export interface PreparedBlob {
  readonly ref: BlobRef;
  readonly compressed: Buffer;
  /** What the naming transaction must compare and put. */
  readonly comparisons: readonly Comparison[];
  readonly operations: readonly Operation[];
}

export class BlobStore {
  constructor(private readonly deps: { readonly store: Store; readonly nowMs: () => number }) {}

  /** Compresses `bytes`; puts the chunks now where they are too many for the naming transaction. */
  async prepare(keys: ChunkKeys, bytes: Uint8Array, signal: AbortSignal): Promise<PreparedBlob> {
    const compressed = await compress(bytes);
    const ref: BlobRef = {
      id: newBlobId(this.deps.nowMs()),
      chunks: Math.ceil(compressed.length / CHUNK_BYTES),
      encoding: 'gzip',
      size: bytes.length,
      stored: compressed.length,
    };
    if (compressed.length <= SMALL_BLOB_BYTES) {
      const put = { put: keys.chunkOf(ref.id, 0), value: compressed };
      return { ref, compressed, comparisons: [], operations: [put] };
    }
    await this.putChunks(keys, ref, compressed, signal);
    await reached('manager.blob.sealed');
    const seal: Comparison = { key: keys.chunkOf(ref.id, ref.chunks - 1), is: 'present' };
    return { ref, compressed, comparisons: [seal], operations: [] };
  }

  /** The bytes; undefined where a chunk is missing: the blob was swept, so what named it is not the newest any more. */
  async read(keys: ChunkKeys, ref: BlobRef, signal?: AbortSignal): Promise<Buffer | undefined> {
    const chunks: Buffer[] = [];
    let revision: number | undefined;
    while (chunks.length < ref.chunks) {
      const page = await this.deps.store.range(keys.chunksOf(ref.id), {
        limit: CHUNKS_PER_READ,
        ...(chunks.length === 0 ? {} : { after: keys.chunkOf(ref.id, chunks.length - 1) }),
        ...(revision === undefined ? {} : { revision }),
        ...(signal === undefined ? {} : { signal }),
      });
      if (page.entries.length === 0) return undefined;
      revision = page.revision;
      chunks.push(...page.entries.map((entry) => entry.value));
    }
    const compressed = Buffer.concat(chunks);
    return compressed.length === ref.stored ? this.expand(compressed, ref) : undefined;
  }

  /** The inverse of the compression, checked against the size that was noted. */
  async expand(compressed: Buffer, ref: BlobRef): Promise<Buffer> {
    try {
      return await decompress(compressed, { maxOutputLength: Math.max(1, ref.size) });
    } catch (cause) {
      throw new AppError(
        'internal',
        `the stored blob ${ref.id} cannot be decompressed; restore the store from a backup`,
        { cause },
      );
    }
  }

  private async putChunks(
    keys: ChunkKeys,
    ref: BlobRef,
    compressed: Buffer,
    signal: AbortSignal,
  ): Promise<void> {
    for (let index = 0; index < ref.chunks; index++) {
      const value = compressed.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
      await this.putChunk({ put: keys.chunkOf(ref.id, index), value }, signal);
      await reached('manager.blob.chunk');
    }
  }

  /** Putting the same chunk twice changes nothing, so an unknown outcome is simply tried again until the signal says no. */
  private async putChunk(put: Operation, signal: AbortSignal): Promise<void> {
    const backoff = createBackoff();
    for (;;) {
      try {
        await this.deps.store.transact([], [put], signal);
        return;
      } catch (error) {
        if (!isAppError(error, 'outcome-unknown', 'store-unavailable')) throw error;
        if (signal.aborted) throw error;
        await sleep(backoff.nextDelayMs(), signal);
      }
    }
  }
}

/** Time first, so that the sweep can tell a blob's age by its name. */
function newBlobId(nowMs: number): string {
  return `${String(nowMs).padStart(13, '0')}-${randomBytes(8).toString('hex')}`;
}

/** When a blob was made, by its writer's clock. */
export function blobTimeMs(id: string): number {
  return Number(id.slice(0, 13));
}
