// Who gets in: by password and by token, as the mode and the local influxd say, before there is an admin, and beside somebody who
// tries passwords.
import { expect } from 'chai';
import {
  createGatewayAuth,
  type ClosableGatewayAuth,
  type GatewayAuthDeps,
} from '../../../../../agent/gateway/auth/gateway-auth.js';
import type { Metadata } from '../../../../../agent/gateway/metadata/port.js';
import { isAppError } from '../../../../../shared/errors/app-error.js';
import { fakeClock } from '../../../../../shared/lifecycle/clock.js';
import { basic, metadataWith, requestOf, user } from '../../../../support/gateway/auth-deps.js';
import { signed } from '../../../../support/gateway/tokens.js';

const ADMIN = user('admin', 'secret', { isAdmin: true });

/** Of a request that takes no bcrypt, on a machine that does other things too. */
const AT_ONCE_MS = 30;

describe("the gateway's authentication", () => {
  const clock = fakeClock();
  let auths: ClosableGatewayAuth[];
  beforeEach(() => {
    auths = [];
  });
  afterEach(() => Promise.all(auths.map((auth) => auth.close())));

  interface World {
    current: Metadata;
    isKnown: boolean;
    asks: boolean | undefined;
    hasAdmin: boolean | undefined;
  }
  function authOf(more: Partial<GatewayAuthDeps> = {}) {
    const world: World = {
      current: metadataWith(ADMIN, user('reader', 'p', { privileges: { d: 'READ' } })),
      isKnown: true,
      asks: true,
      hasAdmin: true,
    };
    const auth = createGatewayAuth({
      mode: 'auto',
      metadata: world,
      isMetadataKnown: () => world.isKnown,
      influxd: world,
      clock,
      maxFailuresPerMinute: 20,
      ...more,
    });
    auths.push(auth);
    const ask = (authorization?: string, query = '', address?: string) =>
      auth.authenticate(
        requestOf(authorization, address),
        new URLSearchParams(query),
        new AbortController().signal,
      );
    const said = async (...args: Parameters<typeof ask>) => {
      const answer = await ask(...args);
      return answer.kind === 'refused' ? answer.error : answer.kind;
    };
    return { auth, world, ask, said };
  }

  it('takes the right password, and says who it was', async () => {
    const { ask } = authOf();
    const answer = await ask(basic('reader', 'p'));
    expect(answer).to.have.property('kind', 'accepted');
    const { caller } = answer as Extract<typeof answer, { kind: 'accepted' }>;
    expect([caller.user, caller.isAdmin]).to.deep.equal(['reader', false]);
    expect([caller.mayRead('d'), caller.mayWrite('d')]).to.deep.equal([true, false]);
    expect(caller.mayRead('e')).to.equal(false);
    expect(await ask(undefined, 'u=admin&p=secret')).to.have.nested.property(
      'caller.isAdmin',
      true,
    );
  });

  it("refuses all others in influxd's words", async () => {
    const { said } = authOf();
    expect(await said()).to.equal('unable to parse authentication credentials');
    expect(await said(basic('', 'p'))).to.equal('username required');
    expect(await said(basic('nobody', 'p'))).to.equal('authorization failed');
    expect(await said(basic('admin', 'p'))).to.equal('authorization failed');
    expect(await said(basic('admin', ''))).to.equal('authorization failed');
    expect(await said('Token reader:p')).to.equal('accepted');
  });

  it('asks where the mode says so, or the local influxd does, and where that is not known', async () => {
    const { auth: on } = authOf({ mode: 'on' });
    const { auth: off, said: saidOff } = authOf({ mode: 'off' });
    const { auth, world } = authOf();
    expect([on.isOn, off.isOn]).to.deep.equal([true, false]);
    expect(await saidOff(basic('admin', 'wrong'))).to.equal('accepted');
    const isOn = [true, false, undefined].map((asks) => {
      world.asks = asks;
      return auth.isOn;
    });
    expect(isOn).to.deep.equal([true, false, true]);
  });

  it('refuses nobody for good while it is not known whether clients have to log in', async () => {
    const { world, ask, said } = authOf();
    world.asks = undefined;
    const thrown = (authorization?: string) => ask(authorization).catch((error: unknown) => error);
    for (const authorization of [undefined, basic('admin', 'wrong')]) {
      const error = await thrown(authorization);
      expect(error).to.include({ code: 'influxd-unreachable', status: 503, retryable: true });
    }
    world.current = metadataWith();
    expect(isAppError(await thrown(), 'influxd-unreachable')).to.equal(true);
    world.current = metadataWith(ADMIN);
    expect(await said(basic('admin', 'secret'))).to.equal('accepted');
  });

  it('takes a new password at once, and the old one no more', async () => {
    const { world, said } = authOf();
    expect(await said(basic('admin', 'secret'))).to.equal('accepted');
    expect(await said(basic('admin', 'new'))).to.equal('authorization failed');
    world.current = metadataWith(user('admin', 'new', { isAdmin: true }));
    expect(await said(basic('admin', 'secret'))).to.equal('authorization failed');
    expect(await said(basic('admin', 'new'))).to.equal('accepted');
    world.current = metadataWith(ADMIN, user('other', 'p'));
    expect(await said(basic('reader', 'p'))).to.equal('authorization failed');
  });

  it('takes a token signed with the shared secret, for a user that there is', async () => {
    const exp = clock.nowMs() / 1_000 + 60;
    const { said } = authOf({ jwtSecret: () => 'secret' });
    const bearer = (username: string, secret = 'secret') =>
      `Bearer ${signed({ username, exp }, { secret })}`;
    expect(await said(bearer('admin'))).to.equal('accepted');
    expect(await said(bearer('admin', 'guess'))).to.equal('signature is invalid');
    expect(await said(bearer('nobody'))).to.equal('user not found');
    for (const jwtSecret of [undefined, () => undefined, () => '']) {
      const { said: without } = authOf({ jwtSecret });
      expect(await without(bearer('admin', ''))).to.equal('bearer auth disabld');
    }
  });

  it('lets nobody in before there is an admin, but to make one', async () => {
    const { world, said } = authOf({ mode: 'on' });
    [world.asks, world.hasAdmin] = [true, false];
    world.current = metadataWith(user('reader', 'p'));
    expect(await said(basic('reader', 'p'))).to.equal('bootstrap');
    world.current = metadataWith(ADMIN);
    expect(await said(basic('admin', 'secret'))).to.equal('accepted');
  });

  it('makes nobody the first admin while the cluster is not known, or influxd has one already', async () => {
    const { world, said } = authOf({ mode: 'on' });
    world.current = metadataWith();
    world.hasAdmin = true;
    expect(await said()).to.equal('unable to parse authentication credentials');
    expect(await said(basic('admin', 'secret'))).to.equal('authorization failed');
    [world.hasAdmin, world.isKnown] = [false, false];
    expect(await said()).to.equal('unable to parse authentication credentials');
    world.isKnown = true;
    expect(await said()).to.equal('bootstrap');
  });

  it('does not call credentials wrong while it has not heard of the users', async () => {
    const { world, ask, said } = authOf();
    const thrown = () => ask(basic('admin', 'secret')).catch((error: unknown) => error);
    const isUnknown = async () => isAppError(await thrown(), 'metadata-unknown');
    world.isKnown = false;
    expect(await isUnknown()).to.equal(true);
    [world.isKnown, world.current] = [true, { ...metadataWith(), version: 0 }];
    expect(await isUnknown()).to.equal(true);
    world.current = metadataWith(ADMIN);
    expect(await said(basic('admin', 'secret'))).to.equal('accepted');
  });

  it('keeps nobody waiting for somebody who tries passwords', async function () {
    this.timeout(20_000);
    const { world, ask, said } = authOf();
    world.current = metadataWith(user('admin', 'secret', { isAdmin: true, cost: 10 }));
    expect(await said(basic('admin', 'secret'))).to.equal('accepted');
    const tries = Array.from({ length: 200 }, (_, number) => ask(basic('admin', `try ${number}`)));
    let slowest = 0;
    for (let turn = 0; turn < 100; turn += 1) {
      const began = performance.now();
      expect(await said(basic('admin', 'secret'))).to.equal('accepted');
      slowest = Math.max(slowest, performance.now() - began);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(slowest).to.be.lessThan(AT_ONCE_MS);
    const kinds = (await Promise.all(tries)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'limited')).to.have.length(181);
    // Of the 20 runs in this minute the first was the right one.
    expect(kinds.filter((kind) => kind === 'refused')).to.have.length(19);
    expect(await said(basic('admin', 'secret'), '', '10.0.0.1')).to.equal('accepted');
  });
});
