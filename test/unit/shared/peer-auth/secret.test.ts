// The file with the cluster's secret.
import { expect } from 'chai';
import { keyThatMade } from '../../../../shared/peer-auth/messages.js';
import { parseSecrets } from '../../../../shared/peer-auth/secret.js';

const GOOD = 'a secret of sixteen bytes';

describe("the cluster's secret", () => {
  it('is every line that is not blank, in order, whatever ends the lines', () => {
    const keys = parseSecrets('f', `\n${GOOD} one\r\n\n  ${GOOD} two  \n`);
    const again = parseSecrets('f', `${GOOD} one\n${GOOD} two`);
    expect(keys).to.have.length(2).and.deep.equal(again);
    expect(keys[0].equals(keys[1]!)).to.equal(false);
  });

  it('never leaves as it is: the keys are made from it', () => {
    const [key] = parseSecrets('f', GOOD);
    expect(key.includes(GOOD)).to.equal(false);
    expect(keyThatMade([key], GOOD, () => GOOD)).to.equal(key);
  });

  for (const [what, text, words] of [
    ['an empty file', '', /agent\.secret-file: the file f .* blank/],
    ['a blank file', ' \n\t\n', /blank/],
    ['a short secret', 'fifteen bytes..', /its line 1 is shorter than 16 bytes/],
    ['a short second line', `${GOOD}\n\nshort`, /its line 3 is shorter than 16 bytes/],
    ['too many', Array.from({ length: 9 }, (_, i) => `${GOOD} ${i}`).join('\n'), /more than 8/],
  ] as const) {
    it(`refuses ${what} in words that do not show it`, () => {
      expect(() => parseSecrets('f', text))
        .to.throw(words)
        .with.property('message')
        .that.does.not.match(/fifteen|short\b(?!er)|sixteen/);
    });
  }
});
