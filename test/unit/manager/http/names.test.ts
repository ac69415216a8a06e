// Names in paths: what is legal comes back unescaped, what is not gets 400, however it is written.
import { expect } from 'chai';
import fc from 'fast-check';
import { decodeName, encodeName, nameFault } from '../../../../shared/api/names.js';
import { startTestManager, type TestManager } from '../../../support/manager.js';
import { snapshotWith } from '../../../support/snapshots.js';

describe('cluster names', () => {
  let manager: TestManager;
  before(async () => {
    manager = await startTestManager();
  });
  after(() => manager.close());

  const legal = [
    'telegraf',
    'a b',
    'a/b',
    '/',
    '%',
    '%2F',
    '100%25',
    'ü',
    'ÄÖÜ ß',
    '日本',
    '🐘',
    '...',
    'a.b',
    '.hidden',
    '?x=1&y#z',
    'a+b',
    'quote\'"\\',
    ':id',
    '*',
    '__proto__',
    'x'.repeat(255),
    'ü'.repeat(127),
  ];
  for (const name of legal) {
    it(`takes ${JSON.stringify(name.slice(0, 20))} and gives it back unescaped`, async () => {
      const path = encodeURIComponent(name);
      const registered = await manager.app.inject({ method: 'POST', url: `/nodes/${path}` });
      expect(registered.statusCode).to.equal(201);
      expect(registered.json()).to.include({ cluster: name });
      const nodes = await manager.app.inject({ url: `/nodes/${path}` });
      expect(nodes.json<{ cluster: string }[]>().map(({ cluster }) => cluster)).to.deep.equal([
        name,
      ]);
      const written = await manager.app.inject({
        method: 'PUT',
        url: `/clusters/${path}/versions/0`,
        payload: snapshotWith('db'),
      });
      expect(written.statusCode).to.equal(200);
      const clusters = await manager.app.inject({ url: '/clusters' });
      expect(clusters.json<{ name: string }[]>().map((cluster) => cluster.name)).to.include(name);
    });
  }

  const illegal: [string, string][] = [
    ['.', '%2e'],
    ['a control character', 'a%00b'],
    ['a newline', 'a%0Ab'],
    ['256 bytes', 'x'.repeat(256)],
    ['256 bytes of two-byte characters', '%C3%BC'.repeat(128)],
    ['an empty name', ''],
    ['broken UTF-8', '%FF'],
    ['a broken escape', '%zz'],
  ];
  for (const [what, path] of illegal) {
    it(`refuses ${what} with 400 name-invalid`, async () => {
      const answer = await manager.app.inject({ method: 'POST', url: `/nodes/${path}` });
      expect(answer.statusCode).to.equal(400);
      expect(answer.headers['content-type']).to.equal('application/problem+json');
      expect(answer.json()).to.include({ code: 'name-invalid', status: 400 });
    });
  }

  it('are encoded so that a slash never splits a key, and decoding is the inverse', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        fc.pre(nameFault(name) === undefined);
        const encoded = encodeName(name);
        expect(encoded).to.match(/^(?:[\w.-]|%[0-9A-F]{2})*$/);
        expect(decodeName(encoded)).to.equal(name);
      }),
    );
  });
});
