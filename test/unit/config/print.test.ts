// What config print shows, and what it hides.
import { expect } from 'chai';
import { maskUrl, printable } from '../../../shared/config/print.js';

describe('printable', () => {
  it('masks passwords in URLs and names the source', () => {
    const values = printable([
      {
        path: 'etcd.endpoints',
        value: ['http://u:pw@a:1', 'http://b:2'],
        source: { kind: 'file', name: 'x.toml' },
      },
      { path: 'influxdb.url', value: 'http://u:p:w@a', source: { kind: 'default' } },
      { path: 'agent.secret-file', value: undefined, source: { kind: 'default' } },
    ]);
    expect(values).to.deep.equal([
      { key: 'etcd.endpoints', value: ['http://u:***@a:1', 'http://b:2'], source: 'file x.toml' },
      { key: 'influxdb.url', value: 'http://u:***@a', source: 'default' },
      { key: 'agent.secret-file', value: null, source: 'default' },
    ]);
  });

  it('leaves texts without a password as they are', () => {
    for (const text of ['http://a:1', 'http://user@a', 'plain', 'http://a/b@c:d', 'http://a:1/b@c'])
      expect(maskUrl(text)).to.equal(text);
  });
});
