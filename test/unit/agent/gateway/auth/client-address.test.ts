// One client is one text: IPv4 however it comes in, IPv6 by its network.
import { expect } from 'chai';
import { clientOf } from '../../../../../agent/gateway/auth/client-address.js';

describe('the client of an address', () => {
  it('is the address itself with IPv4, also where it comes in as IPv6', () => {
    expect(clientOf('10.0.0.1')).to.equal('10.0.0.1');
    expect(clientOf('::ffff:10.0.0.1')).to.equal('10.0.0.1');
  });

  it('is the network with IPv6', () => {
    expect(clientOf('2001:db8:1:2:3:4:5:6')).to.equal('2001:db8:1:2');
    expect(clientOf('2001:db8:1:2::9')).to.equal('2001:db8:1:2');
    expect(clientOf('2001:db8::9')).to.equal('2001:db8:0:0');
    expect(clientOf('fe80::1:2:3:4%eth0')).to.equal('fe80:0:0:0');
    expect(clientOf('::1')).to.equal('0:0:0:0');
    expect(clientOf('1::2:3:4:5:6:7')).to.equal('1:0:2:3');
  });

  it('is nobody where the client is gone', () => {
    expect(clientOf(undefined)).to.equal('');
  });
});
