// Signer and verifier together, without a network: what is accepted, and that nothing else is.
import { expect } from 'chai';
import fc from 'fast-check';
import { fakeClock, type FakeClock } from '../../../../shared/lifecycle/clock.js';
import { parseSecrets, type PeerKeys } from '../../../../shared/peer-auth/secret.js';
import { newNonce, PeerSigner, type Signed } from '../../../../shared/peer-auth/signer.js';
import { PeerVerifier, WINDOW_MS } from '../../../../shared/peer-auth/verifier.js';
import {
  formatAsking,
  formatProof,
  parseAuthorization,
  type Proof,
} from '../../../../shared/peer-auth/wire.js';

const [OLD, NEW, OTHER] = ['old', 'new', 'other'].map((name) => `${name} secret of the cluster`);
const keysOf = (...lines: (string | undefined)[]): PeerKeys => parseSecrets('f', lines.join('\n'));

const REQUEST = { method: 'POST', path: '/peer/v1/x?a=1', body: Buffer.from('body'), to: 'b' };

describe('signed requests', () => {
  let clock: FakeClock;
  let clientClock: FakeClock;
  let signer: PeerSigner;
  let verifier: PeerVerifier;
  beforeEach(async () => {
    clock = fakeClock();
    clientClock = fakeClock();
    // A clock of its own, far from the receiver's.
    await clientClock.advance(86_400_000);
    signer = new PeerSigner({ uid: 'a', clock: clientClock });
    verifier = new PeerVerifier({ uid: 'b', clock });
  });

  const takeChallenge = (keys = keysOf(OLD), from = verifier): string => {
    const nonce = newNonce();
    return signer.takeChallenge(keys, 'b', nonce, from.challenge(keysOf(OLD), nonce));
  };
  const signed = (keys = keysOf(OLD)): Signed => {
    if (signer.sign(keys, REQUEST) === undefined) takeChallenge(keys);
    return signer.sign(keys, REQUEST)!;
  };
  const verify = ({ authorization }: Signed, keys = keysOf(OLD), request = REQUEST): string => {
    const said = parseAuthorization(authorization);
    if (said.kind !== 'proof') return said.kind;
    return verifier.verify(keys, request.method, request.path, said.proof).kind;
  };
  const bothAdvance = async (ms: number) => {
    await clock.advance(ms);
    await clientClock.advance(ms);
  };

  it('are accepted once, though the clocks are a day apart', () => {
    const request = signed();
    expect(verify(request)).to.equal('accepted');
    expect(verify(request)).to.equal('replayed');
    expect(verify(signed())).to.equal('accepted');
  });

  it('can not be made before a challenge was taken', () => {
    expect(signer.sign(keysOf(OLD), REQUEST)).to.equal(undefined);
  });

  const ALTERED: Record<string, (proof: Proof) => Partial<Proof>> = {
    body: () => ({ body: 'f'.repeat(64) }),
    to: () => ({ to: 'c' }),
    from: () => ({ from: 'c' }),
    nonce: () => ({ nonce: newNonce() }),
    time: ({ time }) => ({ time: time + 1 }),
    boot: () => ({ boot: newNonce() }),
    code: ({ code }) => ({
      code: code.startsWith('A') ? `B${code.slice(1)}` : `A${code.slice(1)}`,
    }),
  };
  for (const [field, change] of Object.entries(ALTERED)) {
    it(`are refused with another ${field}`, () => {
      const { proof } = signed();
      const altered = { ...proof, ...change(proof) };
      expect(verify({ proof: altered, authorization: formatProof(altered) })).to.equal('wrong');
      expect(verify({ proof, authorization: formatProof(proof) })).to.equal('accepted');
    });
  }

  it('are refused with another method or path', () => {
    for (const other of [{ method: 'PUT' }, { path: '/peer/v1/x?a=2' }, { path: '/peer/v1/y' }]) {
      expect(verify(signed(), keysOf(OLD), { ...REQUEST, ...other })).to.equal('wrong');
    }
  });

  it('are refused whatever single character of the header is another', () => {
    const { authorization } = signed();
    fc.assert(
      fc.property(
        fc.nat(authorization.length - 1),
        fc.constantFrom(...'aA0_ =,.\u0000'.split('')),
        (at, letter) => {
          fc.pre(authorization[at] !== letter);
          const text = authorization.slice(0, at) + letter + authorization.slice(at + 1);
          const verdict = verify({ authorization: text } as Signed);
          expect(verdict).to.be.oneOf(['wrong', 'none']);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('for another uid are refused by who has the same secret', () => {
    const other = new PeerVerifier({ uid: 'c', clock });
    const { proof } = signed();
    expect(other.verify(keysOf(OLD), REQUEST.method, REQUEST.path, proof).kind).to.equal(
      'other-node',
    );
  });

  it('of another secret are refused, and one made so can not take a challenge', () => {
    const mine = new PeerSigner({ uid: 'a', clock: clientClock });
    const nonce = newNonce();
    const challenge = verifier.challenge(keysOf(OTHER), nonce);
    expect(mine.takeChallenge(keysOf(OLD), 'b', nonce, challenge)).to.equal('wrong');
    expect(verify(signed(), keysOf(OTHER))).to.equal('wrong');
  });

  it('are stale after the window, and before it nothing is forgotten', async () => {
    const [early, late] = [signed(), signed()];
    expect(verify(early)).to.equal('accepted');
    await bothAdvance(WINDOW_MS);
    expect(verify(early)).to.equal('replayed');
    expect(verify(late)).to.equal('accepted');
    await bothAdvance(1);
    expect([verify(early), verify(late)]).to.deep.equal(['stale', 'stale']);
  });

  it('are never accepted twice, whenever and in whatever order they come again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(5), fc.nat(40_000)), { maxLength: 30 }),
        async (deliveries) => {
          verifier = new PeerVerifier({ uid: 'b', clock });
          takeChallenge();
          const requests = Array.from({ length: 6 }, () => signed());
          const accepted = new Set<number>();
          for (const [which, ms] of deliveries) {
            await bothAdvance(ms);
            if (verify(requests[which]!) !== 'accepted') continue;
            expect(accepted.has(which)).to.equal(false);
            accepted.add(which);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('of the time before a restart are stale, and a new challenge makes new ones', () => {
    const old = signed();
    verifier = new PeerVerifier({ uid: 'b', clock });
    expect(verify(old)).to.equal('stale');
    takeChallenge();
    expect(verify(signed())).to.equal('accepted');
  });

  it('beyond the bound are refused, until the window has passed; none is forgotten for another', async () => {
    verifier = new PeerVerifier({ uid: 'b', clock, maxNonces: 2 });
    const [first, second, third] = [signed(), signed(), signed()];
    expect([first, second, third].map((each) => verify(each))).to.deep.equal([
      'accepted',
      'accepted',
      'full',
    ]);
    expect(verify(first)).to.equal('replayed');
    await bothAdvance(WINDOW_MS + 10_000);
    expect(verify(signed())).to.equal('accepted');
  });

  it('go through all three steps of a new secret, and not with the old one afterwards', () => {
    for (const [client, server, verdict] of [
      [[OLD], [OLD, NEW], 'accepted'],
      [[OLD, NEW], [OLD], 'accepted'],
      [[NEW, OLD], [OLD, NEW], 'accepted'],
      [[OLD, NEW], [NEW, OLD], 'accepted'],
      [[NEW, OLD], [NEW], 'accepted'],
      [[NEW], [NEW, OLD], 'accepted'],
      [[OLD, NEW], [NEW], 'wrong'],
      [[OLD], [NEW], 'wrong'],
    ] as const) {
      expect(
        verify(signed(keysOf(...client)), keysOf(...server)),
        `${client.join()} ${server.join()}`,
      ).to.equal(verdict);
    }
  });

  describe('and their answers', () => {
    const ANSWER = { status: 200, body: Buffer.from('answer') };
    const codeFor = ({ proof }: Signed, keys = keysOf(OLD)) =>
      verifier.signAnswer(keys[0], proof, ANSWER.status, ANSWER.body);

    it('are believed where they are the ones that were given', () => {
      const request = signed();
      const answer = { ...ANSWER, code: codeFor(request) };
      expect(signer.isAnswer(keysOf(OLD), request, answer)).to.equal(true);
      expect(signer.isAnswer(keysOf(NEW, OLD), request, answer)).to.equal(true);
    });

    it('are not with another status, body, code, secret, or for another request', () => {
      const request = signed();
      const code = codeFor(request);
      for (const answer of [
        { ...ANSWER, code, status: 404 },
        { ...ANSWER, code, body: Buffer.from('other') },
        { ...ANSWER, code: '' },
        { ...ANSWER, code: codeFor(request, keysOf(OTHER)) },
        { ...ANSWER, code: codeFor(signed()) },
      ]) {
        expect(signer.isAnswer(keysOf(OLD), request, answer)).to.equal(false);
      }
    });

    it('of another node are not, and neither is its challenge', () => {
      const request = signed();
      const other = new PeerVerifier({ uid: 'c', clock });
      const code = other.signAnswer(keysOf(OLD)[0], request.proof, ANSWER.status, ANSWER.body);
      expect(signer.isAnswer(keysOf(OLD), request, { ...ANSWER, code })).to.equal(false);
      expect(takeChallenge(keysOf(OLD), other)).to.equal('other-node');
    });
  });

  it('challenges are for one question each', () => {
    const challenge = verifier.challenge(keysOf(OLD), newNonce());
    expect(signer.takeChallenge(keysOf(OLD), 'b', newNonce(), challenge)).to.equal('wrong');
    expect(parseAuthorization(formatAsking('n'))).to.deep.equal({ kind: 'asking', nonce: 'n' });
    for (const header of [undefined, '', 'Basic abc', 'Clusterflux-V1', 'Clusterflux-V1 nonce=a b'])
      expect(parseAuthorization(header)).to.deep.equal({ kind: 'none' });
  });
});
