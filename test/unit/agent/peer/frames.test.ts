// Streamed answers: what was sent comes out, and whatever else arrives is a body that breaks off.
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import fc from 'fast-check';
import { FrameReader, FrameWriter, MAX_FRAME_BYTES } from '../../../../agent/peer/frames.js';

const KEY = Buffer.alloc(32, 7);
const HEAD = { kind: 'opened', status: 200 };

const framesOf = (chunks: readonly Buffer[], key: Buffer | undefined = KEY): Promise<Buffer> =>
  buffer(Readable.from(chunks, { objectMode: false }).pipe(new FrameWriter({ key, head: HEAD })));

async function readOf(
  wire: readonly Buffer[],
  key: Buffer | undefined = KEY,
): Promise<{ head: unknown; body: Buffer }> {
  let head: unknown;
  const reader = new FrameReader(key, (said) => (head = said));
  Readable.from(wire, { objectMode: false }).pipe(reader);
  return { body: await buffer(reader), head };
}

const isWhole = (wire: readonly Buffer[], key = KEY): Promise<boolean> =>
  readOf(wire, key).then(
    () => true,
    () => false,
  );

describe('frames', () => {
  it('bring every body through, however the network cuts it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 })),
        fc.boolean(),
        fc.integer({ min: 1, max: 40 }),
        async (parts, hasKey, size) => {
          const key = hasKey ? KEY : undefined;
          const chunks = parts.map((part) => Buffer.from(part));
          const wire = await framesOf(chunks, key);
          const cut = Array.from({ length: Math.ceil(wire.length / size) }, (_, at) =>
            wire.subarray(at * size, (at + 1) * size),
          );
          const { head, body } = await readOf(cut, key);
          expect(head).to.deep.equal(HEAD);
          expect(body.equals(Buffer.concat(chunks))).to.equal(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are split where a chunk is larger than one', async () => {
    const large = Buffer.alloc(3 * MAX_FRAME_BYTES + 17, 'x');
    const { body } = await readOf([await framesOf([large])]);
    expect(body.equals(large)).to.equal(true);
  });

  it('tell every flipped bit', async () => {
    const wire = await framesOf([Buffer.from('name,time\n'), Buffer.from('cpu,1\n')]);
    for (let at = 0; at < wire.length; at += 1) {
      const altered = Buffer.from(wire);
      altered.writeUInt8(altered.readUInt8(at) ^ (1 << (at % 8)), at);
      expect(await isWhole([altered]), `byte ${at}`).to.equal(false);
    }
    expect(await isWhole([wire])).to.equal(true);
  });

  it('tell every cut, with codes and without', async () => {
    for (const key of [KEY, undefined]) {
      const wire = await framesOf([Buffer.from('name,time\n'), Buffer.from('cpu,1\n')], key);
      for (let length = 0; length < wire.length; length += 1) {
        const read = readOf([wire.subarray(0, length)], key);
        const error = await read.then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error, `${length} bytes`).to.be.instanceOf(Error);
      }
    }
  });

  it('tell what is repeated, left out, put elsewhere, appended, or of another answer', async () => {
    const parts = ['head of the answer', 'aaaa', 'bbbb'].map((text) => Buffer.from(text));
    const wire = await framesOf(parts);
    const frames: Buffer[] = [];
    for (let at = 0; at < wire.length;) {
      const end = at + 4 + wire.readUIntBE(at + 1, 3) + 16;
      frames.push(wire.subarray(at, end));
      at = end;
    }
    expect(frames).to.have.length(5);
    const [head, first, second, third, end] = frames as [Buffer, Buffer, Buffer, Buffer, Buffer];
    expect(await isWhole([head, first, second, third, end])).to.equal(true);
    for (const [what, order] of [
      ['repeated', [head, first, first, second, third, end]],
      ['left out', [head, first, third, end]],
      ['put elsewhere', [head, second, first, third, end]],
      ['ended early', [head, end]],
      ['appended', [head, first, second, third, end, end]],
      ['without a head', [first, second, third, end]],
    ] as const) {
      expect(await isWhole(order), what).to.equal(false);
    }
    expect(await isWhole([wire], Buffer.alloc(32, 8)), 'of another answer').to.equal(false);
  });

  it('say why a body broke off', async () => {
    const writer = new FrameWriter({ key: KEY, head: HEAD });
    writer.write(Buffer.from('some'));
    writer.breakOff('influxd went away');
    const wire = await buffer(writer);
    const error = await readOf([wire]).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'influxd went away');
  });

  it('come also while there is nothing to send, so that silence means that nobody is there', async () => {
    const writer = new FrameWriter({ key: KEY, head: HEAD, aliveEveryMs: 5 });
    let bytes = 0;
    const afterTheHead = await new Promise<number>((resolve) => {
      writer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > 100) resolve(bytes);
      });
    });
    expect(afterTheHead).to.be.greaterThan(100);
    writer.destroy();
  });
});
