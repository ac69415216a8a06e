// Which credentials a request brings; each row was tried on a real influxd 1.6.7 (test/contract/gateway-auth.test.ts does again).
import { expect } from 'chai';
import { credentialsOf } from '../../../../../agent/gateway/auth/credentials.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const of = (query: string, header?: string) => credentialsOf(new URLSearchParams(query), header);

describe('the credentials of a request', () => {
  const pair = (user: string, password: string) => ({ kind: 'password', user, password });

  it('are those of the URL where it has both, whatever the header says', () => {
    expect(of('u=a&p=b', `Basic ${base64('c:d')}`)).to.deep.equal(pair('a', 'b'));
    expect(of('u=a&u=z&p=b')).to.deep.equal(pair('a', 'b'));
  });

  it('are those of the header where the URL has one half', () => {
    for (const query of ['u=a', 'p=b', 'u=a&p=', 'u=&p=b', '']) {
      expect(of(query)).to.deep.equal({ kind: 'none' });
      expect(of(query, `Basic ${base64('c:d')}`)).to.deep.equal(pair('c', 'd'));
    }
  });

  it('may have colons, blanks and letters of any script in the password', () => {
    expect(of('', `basic ${base64('ü:p:ä ß')}`)).to.deep.equal(pair('ü', 'p:ä ß'));
    const token = Buffer.from('ü:p:ä ß').toString('latin1');
    expect(of('', `Token ${token}`)).to.deep.equal(pair('ü', 'p:ä ß'));
    expect(of('', `Basic ${base64(':b')}`)).to.deep.equal(pair('', 'b'));
    expect(of('', `Basic ${base64('a:')}`)).to.deep.equal(pair('a', ''));
  });

  it('are none where the header is not well-formed', () => {
    const bad = ['Basic', 'Basic ', 'Basic !!!', `Basic  ${base64('a:b')}`, `Basic ${base64('a')}`];
    const others = ['Token ab', 'token a:b', 'bearer x', 'Bearer  x', 'Bearer', 'Foo bar', ''];
    const unpadded = `Basic ${base64('a:bc').replace(/=/g, '')}`;
    for (const header of [...bad, ...others, unpadded]) {
      expect(of('', header), header).to.deep.equal({ kind: 'none' });
    }
  });

  it('are a token behind the word Bearer', () => {
    expect(of('', 'Bearer a.b.c')).to.deep.equal({ kind: 'bearer', token: 'a.b.c' });
  });
});
