// Addresses: reading, printing, and what others are told.
import { expect } from 'chai';
import {
  addressUrl,
  advertisedAddress,
  formatAddress,
  isLoopback,
  isWide,
  parseAddress,
} from '../../../shared/config/address.js';

describe('parseAddress', () => {
  const cases: [string, string, number][] = [
    [':8000', '', 8000],
    ['127.0.0.1:8000', '127.0.0.1', 8000],
    ['[::1]:80', '::1', 80],
    ['[fe80::1%eth0]:80', 'fe80::1%eth0', 80],
    ['manager.example:1', 'manager.example', 1],
    ['127.0.0.1:0', '127.0.0.1', 0],
  ];
  for (const [text, host, port] of cases) {
    it(`reads ${text}, and prints it as it was`, () => {
      expect(parseAddress(text)).to.deep.equal({ host, port });
      expect(formatAddress({ host, port })).to.equal(text);
    });
  }

  for (const text of [
    '',
    '8000',
    'host',
    'host:',
    'host:65536',
    'host:-1',
    '::1:80',
    '[::1]',
    'http://a:1',
    'a b:1',
    'a:1x',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseAddress(text)).to.equal(undefined);
    });
  }
});

describe('advertisedAddress', () => {
  const machine = () => ({
    lo: [{ address: '127.0.0.1', family: 'IPv4', internal: true }],
    eth0: [
      { address: 'fe80::1', family: 'IPv6', internal: false },
      { address: '2001:db8::7', family: 'IPv6', internal: false },
      { address: '10.0.0.7', family: 'IPv4', internal: false },
    ],
  });

  it('is the configured one, with the bound port where that is 0', () => {
    const bound = { host: '', port: 4711 };
    expect(advertisedAddress(bound, { host: 'a', port: 1 }, machine)).to.deep.equal({
      host: 'a',
      port: 1,
    });
    expect(advertisedAddress(bound, { host: 'a', port: 0 }, machine)).to.deep.equal({
      host: 'a',
      port: 4711,
    });
  });

  it('is the bound one where that names a host', () => {
    const bound = { host: '127.0.0.1', port: 1 };
    expect(advertisedAddress(bound, undefined, machine)).to.deep.equal(bound);
  });

  for (const host of ['', '0.0.0.0', '::']) {
    it(`is the first address that is not loopback where ${JSON.stringify(host)} is bound`, () => {
      expect(advertisedAddress({ host, port: 1 }, undefined, machine)).to.deep.equal({
        host: '10.0.0.7',
        port: 1,
      });
    });
  }

  it('is an IPv6 address where there is no other, and loopback where there is none at all', () => {
    const only6 = () => ({ eth0: machine().eth0.slice(0, 2) });
    const wide = { host: '', port: 1 };
    expect(advertisedAddress(wide, undefined, only6).host).to.equal('2001:db8::7');
    expect(advertisedAddress(wide, undefined, () => ({})).host).to.equal('127.0.0.1');
  });
});

describe('hosts', () => {
  it('are loopback only where other machines can never connect', () => {
    const loopback = ['localhost', '127.0.0.1', '127.8.9.1', '::1'];
    const reachable = ['', '0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example', 'manager'];
    expect(loopback.filter(isLoopback)).to.deep.equal(loopback);
    expect(reachable.filter(isLoopback)).to.deep.equal([]);
    expect(reachable.filter(isWide)).to.deep.equal(['', '0.0.0.0', '::']);
  });

  it('become URLs that this machine can use', () => {
    expect(addressUrl({ host: '', port: 1 })).to.equal('http://127.0.0.1:1');
    expect(addressUrl({ host: '::1', port: 1 })).to.equal('http://[::1]:1');
  });
});
