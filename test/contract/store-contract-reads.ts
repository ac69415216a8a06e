// The part of the store contract that is about values and ranges.
import { expect } from 'chai';
import { bytes, codeOf, names, put, read, type SuiteContext } from './store-contract.js';

export function valueTests({ store, prefix }: SuiteContext): void {
  describe('values', () => {
    const values: [string, Buffer][] = [
      ['every byte', Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
      ['no byte', Buffer.alloc(0)],
      ['1 MiB', Buffer.alloc(1024 * 1024, 'clusterflux')],
    ];
    for (const [title, value] of values) {
      it(`keeps ${title} as it is`, async () => {
        await store().transact([], [{ put: `${prefix()}key`, value }]);
        const entry = await store().get(`${prefix()}key`);
        expect(entry?.value.equals(value)).to.equal(true);
      });
    }

    it('is not changed by a caller that goes on writing into its buffer', async () => {
      const value = bytes('before');
      const written = store().transact([], [{ put: `${prefix()}key`, value }]);
      await written;
      value.write('after!');
      expect(await read(store(), `${prefix()}key`)).to.equal('before');
    });
  });
}

export function rangeTests({ harness, store, prefix }: SuiteContext): void {
  describe('ranges', () => {
    // In JavaScript's own order the emoji (two surrogates) would come before U+FF5E.
    const sorted = ['A', 'Z', 'a', 'a b', 'a%2Fb', 'a/b', 'ä', '\uff5e', '\u{1f600}'];

    const fill = async (): Promise<void> => {
      const operations = sorted
        .toReversed()
        .map((key) => ({ put: prefix() + key, value: bytes(key) }));
      await store().transact([], operations);
      await put(store(), `${prefix().slice(0, -1)}0`, 'a neighbour of the prefix');
    };

    it('come in the order of the bytes of their keys, or against it', async () => {
      await fill();
      const ascending = await store().range(prefix());
      const descending = await store().range(prefix(), { descending: true });
      expect(names(ascending.entries, prefix())).to.deep.equal(sorted);
      expect(names(descending.entries, prefix())).to.deep.equal(sorted.toReversed());
    });

    it('end at the limit and say whether there is more', async () => {
      await fill();
      const some = await store().range(prefix(), { limit: 2 });
      expect([names(some.entries, prefix()), some.hasMore]).to.deep.equal([['A', 'Z'], true]);
      const last = await store().range(prefix(), { limit: 2, descending: true });
      expect([names(last.entries, prefix()), last.hasMore]).to.deep.equal([
        ['\u{1f600}', '\uff5e'],
        true,
      ]);
      const all = await store().range(prefix(), { limit: sorted.length });
      expect([all.entries.length, all.hasMore]).to.deep.equal([sorted.length, false]);
    });

    it('go on after a key, whether it is there or not', async () => {
      await fill();
      const pages: string[] = [];
      let after = '';
      for (;;) {
        const page = await store().range(prefix(), { limit: 4, after: prefix() + after });
        pages.push(...names(page.entries, prefix()));
        if (!page.hasMore) break;
        after = pages.at(-1)!;
      }
      expect(pages).to.deep.equal(sorted);
      const afterNone = await store().range(prefix(), { after: `${prefix()}a/a` });
      expect(names(afterNone.entries, prefix())).to.deep.equal(sorted.slice(5));
      const beforeAll = await store().range(prefix(), { after: '!' });
      expect(beforeAll.entries.length).to.equal(sorted.length);
      const behindAll = await store().range(prefix(), { after: '\u{10ffff}' });
      expect(behindAll.entries).to.deep.equal([]);
    });

    it('give the keys alone where asked, with their revisions', async () => {
      const revision = await put(store(), `${prefix()}key`, 'value');
      const { entries } = await store().range(prefix(), { keysOnly: true });
      expect(entries[0]?.value.length).to.equal(0);
      expect(entries[0]?.modRevision).to.equal(revision);
    });

    it('are empty below a prefix without keys', async () => {
      const { entries, hasMore, revision } = await store().range(prefix());
      expect([entries, hasMore]).to.deep.equal([[], false]);
      expect(revision).to.be.a('number');
    });

    it('and single keys can be read as of an earlier revision', async () => {
      await put(store(), `${prefix()}changed`, 'old');
      const then = await put(store(), `${prefix()}deleted`, 'old');
      await store().transact([], [{ delete: `${prefix()}deleted` }]);
      await put(store(), `${prefix()}changed`, 'new');
      await put(store(), `${prefix()}created`, 'new');
      const past = await store().range(prefix(), { revision: then });
      expect(names(past.entries, prefix())).to.deep.equal(['changed', 'deleted']);
      expect(past.entries[0]?.value.toString()).to.equal('old');
      expect(past.revision).to.equal(then);
      const single = await store().get(`${prefix()}deleted`, { revision: then });
      expect(single?.value.toString()).to.equal('old');
    });

    it('are refused, retryably, at a revision that the store has not reached', async () => {
      const { revision } = await store().range(prefix());
      const future = store().get(`${prefix()}key`, { revision: revision + 1_000 });
      expect(await codeOf(future)).to.equal('store-unavailable');
    });

    if (harness.compact !== undefined) {
      it('are refused, retryably, at a revision that is compacted', async () => {
        const old = await put(store(), `${prefix()}key`, 'old');
        const now = await put(store(), `${prefix()}key`, 'new');
        await harness.compact?.(now);
        expect(await codeOf(store().get(`${prefix()}key`, { revision: old }))).to.equal(
          'store-unavailable',
        );
        const kept = await store().get(`${prefix()}key`, { revision: now });
        expect(kept?.value.toString()).to.equal('new');
      });
    }
  });
}
