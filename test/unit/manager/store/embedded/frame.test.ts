import { expect } from 'chai';
import fc from 'fast-check';
import { encodeFrame, scanFrames } from '../../../../../manager/store/embedded/frame.js';

const payloads = fc.array(
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  { minLength: 1, maxLength: 6 },
);

describe('frames', () => {
  it('are read back as they were written', () => {
    fc.assert(
      fc.property(payloads, (written) => {
        const file = Buffer.concat(written.map(encodeFrame));
        const scanned = scanFrames(file);
        expect(scanned).to.deep.equal({
          payloads: written,
          wholeBytes: file.length,
          ending: 'clean',
        });
      }),
    );
  });

  it('that were cut anywhere give the whole ones before the cut, and the end is torn', () => {
    fc.assert(
      fc.property(payloads, fc.nat(), (written, seed) => {
        const frames = written.map(encodeFrame);
        const file = Buffer.concat(frames);
        const cut = seed % (file.length + 1);
        const { payloads: read, wholeBytes, ending } = scanFrames(file.subarray(0, cut));
        expect(read).to.deep.equal(written.slice(0, read.length));
        expect(Buffer.concat(frames.slice(0, read.length)).length).to.equal(wholeBytes);
        expect(ending).to.equal(cut === wholeBytes ? 'clean' : 'torn');
      }),
    );
  });

  it('with any byte changed are not taken, and what is left behind them is noticed', () => {
    fc.assert(
      fc.property(payloads, fc.nat(), fc.integer({ min: 1, max: 255 }), (written, seed, change) => {
        const frames = written.map(encodeFrame);
        const file = Buffer.concat(frames);
        const at = seed % file.length;
        file.writeUInt8(file.readUInt8(at) ^ change, at);
        const { payloads: read, wholeBytes, ending } = scanFrames(file);
        expect(wholeBytes).to.be.at.most(at);
        expect(read).to.deep.equal(written.slice(0, read.length));
        expect(ending).to.equal(read.length === written.length - 1 ? 'torn' : 'damaged');
      }),
    );
  });
});
