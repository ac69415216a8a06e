// The limit of wrong tokens: per network and minute, in bounded memory, and nobody is locked out who was let in before.
import { expect } from 'chai';
import {
  AuthFailures,
  MAX_ADDRESSES,
  networkOf,
  WINDOW_MS,
} from '../../../../../manager/http/security/auth-failures.js';

describe('wrong tokens', () => {
  let now: number;
  let failures: AuthFailures;
  beforeEach(() => {
    now = 0;
    failures = new AuthFailures({ maxPerMinute: 3, monotonicMs: () => now });
  });
  const kinds = (address: string, token: string | undefined, times: number) =>
    Array.from({ length: times }, () => failures.judge(address, token).kind);

  it('are counted per address, and over after a minute', () => {
    expect(kinds('10.0.0.1', undefined, 5)).to.deep.equal([
      'failed',
      'failed',
      'failed',
      'limited',
      'limited',
    ]);
    expect(kinds('10.0.0.2', undefined, 1)).to.deep.equal(['failed']);
    now += 20_000;
    expect(failures.judge('10.0.0.1', undefined)).to.deep.equal({
      kind: 'limited',
      retryAfterSeconds: 40,
    });
    now += WINDOW_MS - 20_000;
    expect(kinds('10.0.0.1', undefined, 1)).to.deep.equal(['failed']);
  });

  it('do not lock out a token that was good from there before, and do lock out one that was not', () => {
    expect(kinds('10.0.0.1', 'agent 1', 1)).to.deep.equal(['ok']);
    kinds('10.0.0.1', undefined, 4);
    expect(kinds('10.0.0.1', 'agent 1', 2)).to.deep.equal(['ok', 'ok']);
    expect(kinds('10.0.0.1', 'operator 2', 1)).to.deep.equal(['limited']);
    expect(kinds('10.0.0.2', 'operator 2', 1)).to.deep.equal(['ok']);
  });

  it('say which is the first of a minute, for the log', () => {
    expect(failures.judge('a', undefined)).to.deep.equal({ kind: 'failed', isFirst: true });
    expect(failures.judge('a', undefined)).to.deep.equal({ kind: 'failed', isFirst: false });
  });

  it('of more addresses than are remembered push out those unheard of for longest', () => {
    kinds('first', 'agent 1', 1);
    for (let i = 0; i < MAX_ADDRESSES + 10; i++) {
      failures.judge(`192.0.2.${i}`, undefined);
      if (i % 100 === 0) failures.judge('first', 'agent 1');
    }
    expect(failures.size).to.equal(MAX_ADDRESSES);
    kinds('first', undefined, 4);
    expect(kinds('first', 'agent 1', 1)).to.deep.equal(['ok']);
  });

  it('count for a whole network of IPv6, and for IPv4 in either form', () => {
    expect(networkOf('2001:db8:1:2:3:4:5:6')).to.equal('2001:db8:1:2::/64');
    expect(networkOf('2001:DB8:1:2::9')).to.equal('2001:db8:1:2::/64');
    expect(networkOf('2001:db8::1')).to.equal('2001:db8:0:0::/64');
    expect(networkOf('::1')).to.equal('0:0:0:0::/64');
    expect(networkOf('fe80::1%eth0')).to.equal('fe80:0:0:0::/64');
    expect(networkOf('::ffff:10.0.0.1')).to.equal(networkOf('10.0.0.1'));
  });
});
