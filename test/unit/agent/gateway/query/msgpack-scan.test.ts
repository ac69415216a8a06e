import { encode, ExtData } from '@msgpack/msgpack';
import { expect } from 'chai';
import fc from 'fast-check';
import { DocumentScanner, unpack } from '../../../../../agent/gateway/query/msgpack-scan.js';

/** Anything that influxd's answers are made of; lengths beyond the short forms too. */
const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.string({ maxLength: 40 }),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom('x'.repeat(300), 'y'.repeat(70_000)),
    fc.constant(new ExtData(5, new Uint8Array(12))),
    fc.array(tie('any'), { maxLength: 20 }),
    fc.dictionary(fc.string({ maxLength: 5 }), tie('any'), { maxKeys: 20 }),
  ),
})).any;

describe('DocumentScanner', () => {
  it('finds the end of each document, wherever the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 50 }),
        (values, step) => {
          const documents = values.map((one) => Buffer.from(encode(one)));
          const stream = Buffer.concat(documents);
          // Larger steps where the stream is long, so that the test stays cheap.
          const size = stream.length > 10_000 ? step * 997 : step;
          const scanner = new DocumentScanner();
          const ends: number[] = [];
          for (let from = 0; from < stream.length; from += size) {
            const chunk = stream.subarray(from, from + size);
            for (let at = 0; at < chunk.length;) {
              const end = scanner.end(chunk, at);
              if (end < 0) break;
              ends.push(from + end);
              at = end;
            }
          }
          let sum = 0;
          expect(ends).to.deep.equal(documents.map((document) => (sum += document.length)));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('refuses the type byte that does not exist', () => {
    expect(() => new DocumentScanner().end(Buffer.from([0xc1]), 0)).to.throw(RangeError);
  });
});

describe('unpack', () => {
  it('keeps integers and floats apart, and all digits', () => {
    const bytes = Buffer.from('9501cb3ff0000000000000d30020000000000001d1ff00e0', 'hex');
    expect(unpack(bytes)).to.deep.equal([1n, 1, 9_007_199_254_740_993n, -256n, -32n]);
  });

  it('reads texts, maps and nothing', () => {
    const bytes = Buffer.from(encode({ a: ['b', null, true, { c: 'd'.repeat(40) }] }));
    expect(unpack(bytes)).to.deep.equal(
      new Map([['a', ['b', null, true, new Map([['c', 'd'.repeat(40)]])]]]),
    );
  });

  it('refuses half a document', () => {
    expect(() => unpack(Buffer.from('92a161', 'hex'))).to.throw(RangeError);
  });
});
