import { expect } from 'chai';
import fc from 'fast-check';
import { KeyHistory } from '../../../../../manager/store/memory/key-history.js';
import type { Entry } from '../../../../../manager/store/port.js';
import { isAppError } from '../../../../../shared/errors/app-error.js';

function entryOf(key: string, revision: number): Entry {
  const value = Buffer.from(String(revision));
  return { key, value, createRevision: 1, modRevision: revision, leaseId: undefined };
}

/** Sets or deletes one of three keys at each revision; returns what stood at each. */
function play(history: KeyHistory, changes: readonly Change[]): Map<string, string>[] {
  const states: Map<string, string>[] = [new Map<string, string>()];
  changes.forEach(({ key, isDeleted }, i) => {
    const revision = i + 1;
    const state = new Map(states.at(-1));
    states.push(state);
    if (isDeleted && !state.has(key)) return;
    history.set(key, isDeleted ? undefined : entryOf(key, revision), revision);
    if (isDeleted) state.delete(key);
    else state.set(key, String(revision));
  });
  return states;
}

function stateAt(history: KeyHistory, revision: number | undefined): Map<string, string> {
  const entries = [...history.below('', { revision })];
  return new Map(entries.map((entry) => [entry.key, entry.value.toString()]));
}

interface Change {
  readonly key: string;
  readonly isDeleted: boolean;
}

const changesOf = fc.array(
  fc.record({ key: fc.constantFrom('a', 'b', 'c'), isDeleted: fc.boolean() }),
  { maxLength: 30 },
);

describe('the history of keys', () => {
  it('answers every revision as it was, or refuses it, however little it keeps', () => {
    fc.assert(
      fc.property(changesOf, fc.integer({ min: 0, max: 10 }), (changes, maxOldValues) => {
        const history = new KeyHistory({ maxOldValues, maxOldBytes: 1_000 });
        const states = play(history, changes);
        expect(stateAt(history, undefined)).to.deep.equal(states.at(-1));
        states.forEach((state, revision) => {
          try {
            history.assertReadable(revision);
          } catch (error) {
            expect(isAppError(error, 'store-unavailable')).to.equal(true);
            return;
          }
          expect(stateAt(history, revision)).to.deep.equal(state);
        });
      }),
    );
  });

  it('keeps everything within its limits, and the newest revision always', () => {
    fc.assert(
      fc.property(changesOf, (changes) => {
        const generous = new KeyHistory({ maxOldValues: 1_000, maxOldBytes: 100_000 });
        play(generous, changes);
        generous.assertReadable(0);
        const strict = new KeyHistory({ maxOldValues: 0, maxOldBytes: 0 });
        play(strict, changes);
        strict.assertReadable(changes.length);
      }),
    );
  });

  it('forgets by size as well as by number', () => {
    const history = new KeyHistory({ maxOldValues: 1_000, maxOldBytes: 2 });
    play(
      history,
      Array.from({ length: 5 }, () => ({ key: 'a', isDeleted: false })),
    );
    expect(() => {
      history.assertReadable(2);
    }).to.throw(/start the read anew/);
    history.assertReadable(3);
  });

  it('answers from a compacted revision on', () => {
    fc.assert(
      fc.property(changesOf, fc.nat(30), (changes, at) => {
        const history = new KeyHistory();
        const states = play(history, changes);
        const revision = Math.min(at, changes.length);
        history.compact(revision);
        for (let later = revision; later <= changes.length; later++) {
          history.assertReadable(later);
          expect(stateAt(history, later)).to.deep.equal(states[later]);
        }
        if (revision > 0) {
          expect(() => {
            history.assertReadable(revision - 1);
          }).to.throw(/start the read anew/);
        }
      }),
    );
  });
});
