// The part of the store contract that is about transactions.
import { expect } from 'chai';
import type { Comparison, Entry } from '../../manager/store/port.js';
import { bytes, codeOf, names, put, read, type SuiteContext } from './store-contract.js';

export function transactionTests({ store, prefix }: SuiteContext): void {
  describe('transactions', () => {
    const conditions: { title: string; holds: boolean; of: (entry: Entry) => Comparison }[] = [
      {
        title: 'absent, on a key that is there',
        holds: false,
        of: ({ key }) => ({ key, is: 'absent' }),
      },
      {
        title: 'absent, on no key',
        holds: true,
        of: ({ key }) => ({ key: `${key}-not`, is: 'absent' }),
      },
      {
        title: 'present, on a key that is there',
        holds: true,
        of: ({ key }) => ({ key, is: 'present' }),
      },
      {
        title: 'present, on no key',
        holds: false,
        of: ({ key }) => ({ key: `${key}-not`, is: 'present' }),
      },
      {
        title: 'at its revision',
        holds: true,
        of: ({ key, modRevision }) => ({ key, is: 'at', modRevision }),
      },
      {
        title: 'at another revision',
        holds: false,
        of: ({ key, modRevision }) => ({ key, is: 'at', modRevision: modRevision - 1 }),
      },
      {
        title: 'at a revision, on no key',
        holds: false,
        of: ({ key, modRevision }) => ({ key: `${key}-not`, is: 'at', modRevision }),
      },
      {
        title: 'equal to its value',
        holds: true,
        of: ({ key, value }) => ({ key, is: 'equal', value }),
      },
      {
        title: 'equal to another value',
        holds: false,
        of: ({ key }) => ({ key, is: 'equal', value: bytes('other') }),
      },
      {
        title: 'equal to the empty value, on no key',
        holds: false,
        of: ({ key }) => ({ key: `${key}-not`, is: 'equal', value: bytes('') }),
      },
    ];
    for (const { title, holds, of } of conditions) {
      it(`${holds ? 'commits' : 'refuses'} where it compares ${title}`, async () => {
        const key = `${prefix()}key`;
        await put(store(), key, 'value');
        const entry = await store().get(key);
        const result = await store().transact(
          [of(entry!)],
          [{ put: `${prefix()}result`, value: bytes('done') }],
        );
        expect(result.kind).to.equal(holds ? 'committed' : 'refused');
        expect(await read(store(), `${prefix()}result`)).to.equal(holds ? 'done' : undefined);
      });
    }

    it('changes nothing at all where one of several comparisons does not hold', async () => {
      const kept = `${prefix()}kept`;
      const before = await put(store(), kept, 'value');
      const result = await store().transact(
        [
          { key: kept, is: 'present' },
          { key: kept, is: 'absent' },
        ],
        [{ put: `${prefix()}new`, value: bytes('x') }, { delete: kept }],
      );
      expect(result).to.deep.equal({ kind: 'refused', revision: before });
      expect(names((await store().range(prefix())).entries, prefix())).to.deep.equal(['kept']);
    });

    it('does all its operations at one revision', async () => {
      await put(store(), `${prefix()}gone`, 'x');
      await put(store(), `${prefix()}many/1`, 'x');
      await put(store(), `${prefix()}many/2`, 'x');
      const result = await store().transact(
        [],
        [
          { put: `${prefix()}a`, value: bytes('1') },
          { put: `${prefix()}b`, value: bytes('2') },
          { delete: `${prefix()}gone` },
          { deletePrefix: `${prefix()}many/` },
        ],
      );
      const { entries } = await store().range(prefix());
      expect(names(entries, prefix())).to.deep.equal(['a', 'b']);
      expect(entries.map((entry) => entry.modRevision)).to.deep.equal([
        result.revision,
        result.revision,
      ]);
    });

    it('raises the revision by every commit, and by nothing else', async () => {
      const first = await put(store(), `${prefix()}a`, '1');
      const second = await put(store(), `${prefix()}a`, '1');
      const refused = await store().transact([{ key: `${prefix()}a`, is: 'absent' }], []);
      const empty = await store().transact([], [{ delete: `${prefix()}not there` }]);
      const third = await put(store(), `${prefix()}b`, '1');
      expect([second - first, third - second]).to.deep.equal([1, 1]);
      expect(refused).to.deep.equal({ kind: 'refused', revision: second });
      expect(empty).to.deep.equal({ kind: 'committed', revision: second });
    });

    it('keeps the revision of creation until the key is deleted', async () => {
      const key = `${prefix()}key`;
      const created = await put(store(), key, '1');
      const changed = await put(store(), key, '2');
      expect(await store().get(key)).to.include({ createRevision: created, modRevision: changed });
      await store().transact([], [{ delete: key }]);
      expect(await store().get(key)).to.equal(undefined);
      const again = await put(store(), key, '3');
      expect(await store().get(key)).to.include({ createRevision: again, modRevision: again });
    });

    it('deletes below a prefix and leaves its neighbours', async () => {
      const keys = ['a', 'a/', 'a/1', 'a/\u00ff', 'a/\u{1f600}', 'a0', 'b'];
      for (const key of keys) await put(store(), prefix() + key, 'x');
      await store().transact([], [{ deletePrefix: `${prefix()}a/` }]);
      const left = names((await store().range(prefix())).entries, prefix());
      expect(left).to.deep.equal(['a', 'a0', 'b']);
    });

    it('gives each of many racing writers a turn, and never the same one twice', async () => {
      const key = `${prefix()}counter`;
      await put(store(), key, '0');
      const won: number[] = [];
      const increment = async (): Promise<void> => {
        for (;;) {
          const entry = await store().get(key);
          const next = Number(entry!.value.toString()) + 1;
          const result = await store().transact(
            [{ key, is: 'at', modRevision: entry!.modRevision }],
            [{ put: key, value: bytes(String(next)) }],
          );
          if (result.kind === 'refused') continue;
          won.push(next);
          return;
        }
      };
      await Promise.all(Array.from({ length: 10 }, increment));
      expect(won.sort((a, b) => a - b)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      expect(await read(store(), key)).to.equal('10');
    });

    it('refuses, as a mistake of the caller, what etcd would not take', async () => {
      const key = `${prefix()}key`;
      const value = bytes('x');
      const twice = [
        { put: key, value },
        { put: key, value },
      ];
      const putAndDelete = [{ put: key, value }, { deletePrefix: prefix() }];
      const many = Array.from({ length: 129 }, (_, i) => ({ put: `${key}${i}`, value }));
      const large = [{ put: key, value: Buffer.alloc(1.5 * 1024 * 1024) }];
      for (const operations of [twice, putAndDelete, many, large]) {
        expect(await codeOf(store().transact([], operations))).to.equal('internal');
      }
      expect((await store().range(prefix())).entries).to.deep.equal([]);
    });
  });
}
