import { expect } from 'chai';
import fc from 'fast-check';
import { boundParams } from '../../../../../agent/gateway/query/bound-params.js';

describe('bound parameters', () => {
  it('keep all digits of their integers, wherever they stand', () => {
    const text = '{"a":9007199254740993,"b":{"integer":-9223372036854775808},"b2":{"a":5}}';
    expect(boundParams(text)).to.deep.equal({
      a: 9007199254740993n,
      b: { integer: -(2n ** 63n) },
      b2: { a: 5n },
    });
  });

  it('tell floats from integers by the point', () => {
    const text = '{"a":1.0,"b":1.5,"c":{"float":2.0},"d":{"float":2}}';
    expect(boundParams(text)).to.deep.equal({
      a: { float: 1 },
      b: 1.5,
      c: { float: 2 },
      d: { float: 2n },
    });
  });

  it('leave what is in strings and names as it is', () => {
    const text = '{"1":"\\"a\\": 2 \\\\","s":true,"n":null,"":"\\u0031","__proto__":"x"}';
    const params = boundParams(text);
    expect(Object.entries(params ?? {})).to.deep.equal([
      ['1', '"a": 2 \\'],
      ['s', true],
      ['n', null],
      ['', '1'],
      ['__proto__', 'x'],
    ]);
  });

  it('are none where influxd refuses them', () => {
    for (const text of ['', '{', '[1]', '"x"', '1', 'null']) {
      expect(boundParams(text), text).to.equal(undefined);
    }
    for (const number of ['9223372036854775808', '-9223372036854775809', '1e3', '01']) {
      expect(boundParams(`{"a":${number}}`), number).to.equal(undefined);
    }
  });

  it('are what JSON says, numbers aside', () => {
    const leaf = fc.oneof(fc.string(), fc.boolean(), fc.constant(null));
    const value = fc.oneof(leaf, fc.dictionary(fc.string(), leaf), fc.array(leaf));
    fc.assert(
      fc.property(fc.dictionary(fc.string(), value), (params) => {
        expect(JSON.stringify(boundParams(JSON.stringify(params)))).to.equal(
          JSON.stringify(params),
        );
      }),
    );
  });
});
