// The metadata request on influxd's backup port (8088): what it has in memory, as the bytes of a meta.Data message.
// Only request type 1 is spoken here: it reads, and changes nothing. The port knows neither users nor TLS.
import { connect } from 'node:net';
import type { Address } from '../../shared/config/address.js';
import { formatAddress, isWide } from '../../shared/config/address.js';
import { unreachable, withDeadline } from './deadline.js';

export interface SnapshotRequest {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** First byte of each connection: influxd's multiplexer passes the rest to its snapshot service. */
const MUX_SNAPSHOT_SERVICE = 0x03;
const REQUEST_METASTORE_BACKUP = 0x01;
/** First eight bytes of the answer. */
const MAGIC = 0x0000_0000_5959_0101n;
const LENGTH_BYTES = 8;
/** Far above any real meta.db: what is longer is another service, or would fill our memory. */
const MAX_ANSWER_BYTES = 512 * 1024 * 1024;

/**
 * Asks for the metadata in memory. Throws AppError `influxd-unreachable` (retryable) where nothing listens, the answer is
 * empty, short or not such an answer, and `aborted`.
 */
export async function requestMetadata(address: Address, request: SnapshotRequest): Promise<Buffer> {
  const what = `reading influxd's metadata on its backup port ${formatAddress(address)}`;
  const answer = await withDeadline({ what, ...request }, (signal) =>
    exchange(what, address, signal),
  );
  return unpack(what, answer);
}

/** One write, so that no influxd version reads half a request; then everything until the server closes. */
function exchange(what: string, { host, port }: Address, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    // A server that listens on all addresses is reached over loopback.
    const socket = connect({ host: isWide(host) ? '127.0.0.1' : host, port, noDelay: true });
    const abort = () => socket.destroy(new Error('aborted'));
    signal.addEventListener('abort', abort, { once: true });
    socket.on('connect', () => {
      socket.write(
        Buffer.concat([
          Buffer.of(MUX_SNAPSHOT_SERVICE, REQUEST_METASTORE_BACKUP),
          Buffer.from(JSON.stringify({ Type: REQUEST_METASTORE_BACKUP })),
        ]),
      );
    });
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) socket.destroy(new Error('the answer has no end'));
    });
    socket.on('error', (error) => {
      reject(
        unreachable(
          what,
          `${error.message}; start influxd, or set influxdb.snapshot-address to its bind-address`,
          error,
        ),
      );
    });
    socket.on('close', () => {
      signal.removeEventListener('abort', abort);
      // After an error this resolves a promise that is settled already.
      resolve(Buffer.concat(chunks));
    });
  });
}

/** Magic, length, metadata, length, node file (`null` and a newline in OSS). */
function unpack(what: string, answer: Buffer): Buffer {
  if (answer.length === 0) {
    throw unreachable(what, 'an empty answer; influxd refused the request, its log says why');
  }
  const start = 2 * LENGTH_BYTES;
  if (answer.length < start || answer.readBigUInt64BE(0) !== MAGIC) {
    throw unreachable(
      what,
      'the answer is none of an influxd; set influxdb.snapshot-address to its bind-address',
    );
  }
  const length = answer.readBigUInt64BE(LENGTH_BYTES);
  const nodeLengthAt = BigInt(start) + length;
  if (nodeLengthAt + BigInt(LENGTH_BYTES) > BigInt(answer.length)) {
    throw unreachable(what, shortAnswer(answer.length));
  }
  const end = Number(nodeLengthAt);
  const nodeLength = answer.readBigUInt64BE(end);
  if (BigInt(end + LENGTH_BYTES) + nodeLength !== BigInt(answer.length)) {
    throw unreachable(what, shortAnswer(answer.length));
  }
  return answer.subarray(start, end);
}

function shortAnswer(length: number): string {
  return `the answer ends after ${length} bytes, which is not its announced length; it is asked again`;
}
