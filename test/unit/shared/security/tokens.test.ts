// The token file: what is read, what is refused, and that nothing of a line is repeated.
import { expect } from 'chai';
import fc from 'fast-check';
import { AppError } from '../../../../shared/errors/app-error.js';
import { digestOf, parseTokens } from '../../../../shared/security/tokens.js';
import { tokenLine } from '../../../support/tokens.js';

const SOURCE = 'manager.token-file /x';

describe('a token file', () => {
  it('gives each token its role and cluster', () => {
    const text = [
      '# a comment',
      '',
      tokenLine('agent:plant', 'a'),
      `  ${tokenLine('agent:with%20space:and colon'.replace(' ', '%20'), 'b')}  `,
      tokenLine('viewer', 'c').replace(' ', '\t').toUpperCase().replace('VIEWER', 'viewer'),
      tokenLine('operator', 'd'),
    ].join('\r\n');
    const tokens = parseTokens(text, SOURCE);
    expect(tokens.size).to.equal(4);
    expect(tokens.find('a')).to.include({ role: 'agent', cluster: 'plant' });
    expect(tokens.find('b')).to.include({ role: 'agent', cluster: 'with space:and colon' });
    expect(tokens.find('c')).to.include({ role: 'viewer', cluster: undefined });
    expect(tokens.find('d')?.name).to.equal(
      `operator ${digestOf('d').toString('hex').slice(0, 8)}`,
    );
    expect(tokens.find('e')).to.equal(undefined);
    expect(tokens.find('')).to.equal(undefined);
  });

  const digest = digestOf('a').toString('hex');
  for (const [line, words] of [
    ['admin ' + digest, 'line 2: the role must be one of agent, operator, viewer'],
    ['agent ' + digest.slice(1), 'line 2: expected "role[:cluster] sha256-of-token"'],
    ['agent', 'line 2: expected'],
    ['my-secret-token', 'line 2: expected'],
    ['agent my-secret-token', 'line 2: expected'],
    ['agent: ' + digest, 'line 2: the cluster name is empty'],
    ['agent:%zz ' + digest, 'line 2: "%zz" is not percent-encoded'],
    ['agent:.. ' + digest, 'line 2: the cluster name is ".."'],
    ['agent:a b ' + digest, 'line 2: expected'],
    [`agent ${digest}\nviewer ${digest}`, 'line 3: it has the digest of line 2 again'],
    ['# nothing', 'it has no token'],
  ] as const) {
    it(`is refused whole for ${JSON.stringify(line.replaceAll(digest, 'SHA256'))}`, () => {
      const parse = () => parseTokens(`# tokens\n${line}\n`, SOURCE);
      expect(parse).to.throw(AppError, words);
      expect(parse).to.throw(AppError).with.property('code', 'config-invalid');
      expect(parse).to.throw(AppError, /^(?!.*my-secret-token).*$/);
    });
  }

  it('finds exactly the tokens that it was made of', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1 }),
        fc.string(),
        (known, other) => {
          const tokens = parseTokens(
            known.map((token) => tokenLine('agent', token)).join('\n'),
            SOURCE,
          );
          for (const token of known) expect(tokens.find(token)).to.not.equal(undefined);
          expect(tokens.find(other) !== undefined).to.equal(known.includes(other));
        },
      ),
      { numRuns: 50 },
    );
  });
});
