// Who may listen where.
import { expect } from 'chai';
import {
  agentMayListenWide,
  assertMayListen,
  mayListenWide,
} from '../../../shared/config/checks.js';
import { AppError } from '../../../shared/errors/app-error.js';

describe('assertMayListen', () => {
  for (const host of ['', '0.0.0.0', '::', '10.0.0.1', 'manager.example']) {
    it(`refuses ${JSON.stringify(host)}, and says which key to set`, () => {
      expect(() => {
        assertMayListen('manager.bind-address', { host, port: 8000 }, false);
      }).to.throw(AppError, /manager\.bind-address is .*:8000.*manager\.insecure = true/);
    });

    it(`allows ${JSON.stringify(host)} where that was set`, () => {
      assertMayListen('manager.bind-address', { host, port: 8000 }, true);
    });
  }

  it('allows loopback', () => {
    for (const host of ['127.0.0.1', '::1', 'localhost']) {
      assertMayListen('agent.bind-address', { host, port: 8888 }, false);
    }
  });
});

describe('agentMayListenWide', () => {
  it('is true where peers prove a secret, or show certificates of an authority, or it is meant', () => {
    const none = { insecure: false };
    expect(agentMayListenWide(none)).to.equal(false);
    expect(agentMayListenWide({ ...none, certFile: 'a' })).to.equal(false);
    expect(agentMayListenWide({ ...none, caFile: 'a' })).to.equal(false);
    expect(agentMayListenWide({ ...none, certFile: 'a', caFile: 'b' })).to.equal(true);
    expect(agentMayListenWide({ ...none, secretFile: 'a' })).to.equal(true);
    expect(agentMayListenWide({ insecure: true })).to.equal(true);
  });

  it('and the refusal says what to set', () => {
    expect(() => {
      assertMayListen('agent.bind-address', { host: '', port: 8888 }, false);
    }).to.throw(AppError, /agent\.secret-file.*agent\.ca-file.*agent\.insecure = true/);
  });
});

describe('mayListenWide', () => {
  it('is true where it is meant, or where clients must show a certificate or a token', () => {
    const none = { insecure: false, certFile: undefined, clientCaFile: undefined };
    expect(mayListenWide(none)).to.equal(false);
    expect(mayListenWide({ ...none, certFile: 'a' })).to.equal(false);
    expect(mayListenWide({ ...none, certFile: 'a', clientCaFile: 'b' })).to.equal(true);
    expect(mayListenWide({ ...none, tokenFile: 'a' })).to.equal(true);
    expect(mayListenWide({ ...none, insecure: true })).to.equal(true);
  });
});
