// Who may listen where.
import { expect } from 'chai';
import { assertMayListen, mayListenWide } from '../../../shared/config/checks.js';
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

describe('mayListenWide', () => {
  it('is true where it is meant, or where clients must show a certificate', () => {
    const none = { insecure: false, certFile: undefined, clientCaFile: undefined };
    expect(mayListenWide(none)).to.equal(false);
    expect(mayListenWide({ ...none, certFile: 'a' })).to.equal(false);
    expect(mayListenWide({ ...none, certFile: 'a', clientCaFile: 'b' })).to.equal(true);
    expect(mayListenWide({ ...none, insecure: true })).to.equal(true);
  });
});
