import { expect } from 'chai';
import fc from 'fast-check';
import { compareKeys, prefixEnd } from '../../../../manager/store/key-order.js';
import { SortedKeys } from '../../../../manager/store/memory/sorted-keys.js';

/** Text with characters of one to four bytes, which order differently as UTF-16. */
const text = fc.string({
  unit: fc.constantFrom('a', 'b', '/', '\u00e4', '\uff5e', '\u{1f600}'),
  maxLength: 5,
});
const anyText = fc.string({ unit: 'binary', maxLength: 6 });

describe('the order of keys', () => {
  it('is that of their bytes', () => {
    fc.assert(
      fc.property(fc.oneof(text, anyText), fc.oneof(text, anyText), (a, b) => {
        const expected = Buffer.compare(Buffer.from(a), Buffer.from(b));
        expect(Math.sign(compareKeys(a, b))).to.equal(expected);
      }),
    );
  });

  it('puts exactly the keys with a prefix between the prefix and its end', () => {
    fc.assert(
      fc.property(text, text, (prefix, key) => {
        const bytes = Buffer.from(key);
        const end = prefixEnd(prefix);
        const isBelowEnd = end.equals(Buffer.from([0])) || bytes.compare(end) < 0;
        const isWithin = bytes.compare(Buffer.from(prefix)) >= 0 && isBelowEnd;
        expect(isWithin).to.equal(key.startsWith(prefix));
      }),
    );
  });
});

describe('sorted keys', () => {
  it('give what sorting and filtering all of them gives', () => {
    const change = fc.record({ isAdded: fc.boolean(), key: text });
    const query = fc.record({
      prefix: text,
      after: fc.option(text, { nil: undefined }),
      descending: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change), query, (changes, { prefix, after, descending }) => {
        const sorted = new SortedKeys();
        const plain = new Set<string>();
        for (const { isAdded, key } of changes) {
          if (isAdded) sorted.add(key);
          else sorted.remove(key);
          if (isAdded) plain.add(key);
          else plain.delete(key);
        }
        const expected = [...plain]
          .filter((key) => key.startsWith(prefix))
          .filter((key) => after === undefined || compareKeys(key, after) > 0)
          .sort(compareKeys);
        if (descending) expected.reverse();
        expect([...sorted.withPrefix(prefix, after, descending)]).to.deep.equal(expected);
      }),
    );
  });
});
