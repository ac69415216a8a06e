import { expect } from 'chai';
import { whyNotNow, whyTaken } from '../../../../agent/restart/members.js';
import type { NodeBody } from '../../../../shared/api/nodes.js';

describe('whether other members let a node restart its influxd', () => {
  const node = (id: number, more: Partial<NodeBody> = {}): NodeBody => ({
    id,
    cluster: 'plant',
    uid: `uid-${id}`,
    hostname: `host-${id}`,
    ip: '127.0.0.1',
    'bind-address': '127.0.0.1:8888',
    alive: true,
    'last-seen': '2026-01-01T00:00:00Z',
    version: 1,
    state: 'in-step',
    labels: {},
    versions: {},
    pending: 0,
    hints: [],
    influxd: { 'cluster-id': '1', term: '0', index: '2', started: 'then' },
    ...more,
  });
  const silent = { 'cluster-id': '1', term: '0', index: '2', started: '' };

  const cases: [string, NodeBody[], RegExp | undefined][] = [
    ['all others live', [node(1), node(2)], undefined],
    ['it is alone', [node(1)], undefined],
    ['it itself is not alive in the list', [node(1, { alive: false }), node(2)], undefined],
    [
      'another is down',
      [node(1), node(2, { alive: false })],
      /node 2 \(host-2\) is down.*forget 2/,
    ],
    ['another restarts', [node(1), node(3, { state: 'restarting' })], /node 3 .*restarts/],
    [
      "another's influxd is silent",
      [node(1), node(2, { state: 'waiting', influxd: silent })],
      /influxd of node 2 .* does not answer/,
    ],
    ['another does not say since when it runs', [node(1), node(2, { influxd: silent })], undefined],
  ];
  for (const [what, members, expected] of cases) {
    it(`${expected === undefined ? 'may' : 'waits'} where ${what}`, () => {
      const why = whyNotNow(members, 1);
      if (expected === undefined) expect(why).to.equal(undefined);
      else expect(why).to.match(expected);
    });
  }

  it('names who holds the lock, also one that nobody lists', () => {
    expect(whyTaken([node(1), node(2)], 'uid-2')).to.contain('node 2 (host-2)');
    expect(whyTaken([node(1)], 'uid-9')).to.contain('another node');
  });
});
