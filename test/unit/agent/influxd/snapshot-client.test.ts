import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { expect } from 'chai';
import { requestMetadata } from '../../../../agent/influxd/snapshot-client.js';
import type { Address } from '../../../../shared/config/address.js';

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

const MAGIC = uint64(0x59590101);
const NODE = Buffer.concat([uint64(5), Buffer.from('null\n')]);

describe('the metadata request on the backup port', () => {
  let server: Server;
  let address: Address;
  let answer: (socket: Socket, request: Buffer) => void;
  const sockets = new Set<Socket>();
  beforeEach(async () => {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('data', (request) => {
        answer(socket, request);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  });
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    server.close();
  });

  async function failure(
    options: { deadlineMs?: number; signal?: AbortSignal } = {},
  ): Promise<Error> {
    return requestMetadata(address, { deadlineMs: 5_000, ...options }).then(
      () => expect.fail('it was expected to reject'),
      (error: unknown) => error as Error,
    );
  }

  it('sends mux byte, type and JSON in one piece, and takes the bytes between the lengths', async () => {
    const requests: Buffer[] = [];
    answer = (socket, request) => {
      requests.push(request);
      socket.write(Buffer.concat([MAGIC, uint64(4), Buffer.from('me')]));
      setImmediate(() => socket.end(Buffer.concat([Buffer.from('ta'), NODE])));
    };
    const bytes = await requestMetadata(address, { deadlineMs: 5_000 });
    expect(bytes.toString()).to.equal('meta');
    expect(requests).to.deep.equal([Buffer.from('\x03\x01{"Type":1}')]);
  });

  for (const [what, bytes, why] of [
    ['empty', Buffer.alloc(0), /empty answer/],
    ['of another service', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /none of an influxd/],
    ['cut in its head', MAGIC.subarray(0, 4), /none of an influxd/],
    [
      'cut in the metadata',
      Buffer.concat([MAGIC, uint64(10), Buffer.from('meta')]),
      /ends after 20 bytes/,
    ],
    [
      'cut in the node file',
      Buffer.concat([MAGIC, uint64(4), Buffer.from('meta'), uint64(5)]),
      /ends after 28 bytes/,
    ],
    [
      'too long',
      Buffer.concat([MAGIC, uint64(4), Buffer.from('meta'), NODE, NODE]),
      /announced length/,
    ],
    [
      'announced with an absurd length',
      Buffer.concat([MAGIC, Buffer.alloc(8, 0xff), NODE]),
      /announced length/,
    ],
  ] as const) {
    it(`refuses an answer that is ${what}`, async () => {
      answer = (socket) => socket.end(bytes);
      const error = await failure();
      expect(error).to.include({ code: 'influxd-unreachable', retryable: true });
      expect(error.message).to.match(why);
      expect(error.message).to.contain(`127.0.0.1:${address.port}`);
    });
  }

  it('says where nothing listens', async () => {
    server.close();
    await once(server, 'close');
    const error = await failure();
    expect(error).to.have.property('code', 'influxd-unreachable');
    expect(error.message).to.contain('influxdb.snapshot-address');
  });

  it('gives up at its deadline when the server hangs', async () => {
    answer = () => undefined;
    const error = await failure({ deadlineMs: 30 });
    expect(error).to.have.property('code', 'influxd-unreachable');
    expect(error.message).to.contain('within 30 ms');
  });

  it('ends at once when the caller aborts, and closes its connection', async () => {
    const controller = new AbortController();
    const closed = new Promise<void>((resolve) => {
      answer = (socket) => {
        socket.once('close', () => {
          resolve();
        });
        controller.abort();
      };
    });
    const deadlineMs = 60_000;
    expect(await failure({ deadlineMs, signal: controller.signal })).to.have.property(
      'code',
      'aborted',
    );
    await closed;
  });
});
