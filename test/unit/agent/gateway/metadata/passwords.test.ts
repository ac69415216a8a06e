import { expect } from 'chai';
import fc from 'fast-check';
import { KnownPasswords, seal, unseal } from '../../../../../agent/gateway/metadata/passwords.js';
import { parseSecrets } from '../../../../../shared/peer-auth/secret.js';

const OLD = parseSecrets('old', 'an old secret of the cluster');
const NEW = parseSecrets('new', 'a new secret of the cluster\nan old secret of the cluster');
const OTHERS = parseSecrets('other', 'the secret of another cluster');

describe('passwords beside statements', () => {
  const password = { user: 'alice', hash: '$2a$10$x', text: 'swordfish' };

  it('are not to be read on their way', () => {
    const sealed = seal(password, OLD);
    expect(JSON.stringify(sealed)).to.not.contain('swordfish');
    expect(sealed).to.not.have.property('text');
  });

  it('are opened with any secret of the receiver, and by no other cluster', () => {
    expect(unseal(seal(password, OLD), NEW)).to.deep.equal(password);
    expect(unseal(seal(password, NEW), OTHERS)).to.equal(undefined);
    expect(unseal(seal(password, OLD), undefined)).to.equal(undefined);
  });

  it('belong to one user and one hash', () => {
    const sealed = seal(password, OLD);
    expect(unseal({ ...sealed, user: 'bob' }, OLD)).to.equal(undefined);
    expect(unseal({ ...sealed, hash: '$2a$10$y' }, OLD)).to.equal(undefined);
  });

  it('are opened as they were, and not at all once a byte is another', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.integer({ min: 1, max: 255 }), (text, at, change) => {
        const sealed = seal({ ...password, text }, OLD);
        expect(unseal(sealed, OLD)?.text).to.equal(text);
        const bytes = Buffer.from(sealed.sealed ?? '', 'base64');
        const index = at % bytes.length;
        bytes[index] = (bytes[index] ?? 0) ^ change;
        expect(unseal({ ...sealed, sealed: bytes.toString('base64') }, OLD)).to.equal(undefined);
      }),
    );
  });

  it('travel as they are where mutual TLS alone protects the channel', () => {
    expect(unseal(seal(password, undefined), undefined)).to.deep.equal(password);
  });

  it('are forgotten after ten minutes', () => {
    let nowMs = 0;
    const known = new KnownPasswords({ monotonicMs: () => nowMs });
    known.note(password);
    nowMs = 599_000;
    expect(known.textOf('alice', '$2a$10$x')).to.equal('swordfish');
    expect(known.textOf('alice', '$2a$10$y')).to.equal(undefined);
    nowMs = 601_000;
    expect(known.textOf('alice', '$2a$10$x')).to.equal(undefined);
  });
});
