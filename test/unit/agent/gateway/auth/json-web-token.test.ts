// Tokens: who signs with the secret is believed for as long as the token says, and nothing else is. The words are influxd's
// (test/contract/gateway-auth.test.ts asks a real one).
import { expect } from 'chai';
import fc from 'fast-check';
import { verifyToken } from '../../../../../agent/gateway/auth/json-web-token.js';
import { NOW_SECONDS, signed, TOKENS } from '../../../../support/gateway/tokens.js';

const verdict = (token: string) => verifyToken(token, 'secret', NOW_SECONDS * 1_000);

describe('a JSON web token', () => {
  it('names its user', () => {
    const token = signed({ username: 'ü', exp: NOW_SECONDS + 1 });
    expect(verdict(token)).to.deep.equal({ kind: 'user', user: 'ü' });
  });

  for (const { what, token, error } of TOKENS) {
    it(`with ${what} is ${error === undefined ? 'taken' : `refused: ${error}`}`, () => {
      const made = token(NOW_SECONDS);
      if (error === undefined) expect(verdict(made)).to.deep.equal({ kind: 'user', user: 'admin' });
      else expect(verdict(made)).to.deep.equal({ kind: 'refused', error });
    });
  }

  it('is refused with any character changed, and never throws', () => {
    const token = signed({ username: 'admin', exp: NOW_SECONDS + 60 });
    const character = fc.constantFrom('A', 'Q', 'a', 'z', '0', '9', '-', '_', '.', '=', '!');
    fc.assert(
      fc.property(fc.nat(token.length - 1), character, (at, put) => {
        const changed = token.slice(0, at) + put + token.slice(at + 1);
        // The last character of a signature has bits that no byte is made of.
        fc.pre(changed !== token && at < token.length - 1);
        expect(verdict(changed).kind).to.equal('refused');
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => verdict(text).kind === 'refused'));
  });
});
