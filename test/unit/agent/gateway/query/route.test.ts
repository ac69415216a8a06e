import { expect } from 'chai';
import {
  routeOf,
  type ReadStatement,
  type RouteView,
} from '../../../../../agent/gateway/query/route.js';
import { parseQuery } from '../../../../../shared/influx/influxql/parse.js';
import type { PlacedGroup } from '../../../../../shared/placement/model.js';
import {
  directoryWith,
  group,
  METADATA,
  placementWith,
} from '../../../../support/gateway/query-fakes.js';

function statementOf(text: string): ReadStatement {
  const parsed = parseQuery(text);
  if (parsed.kind !== 'parsed') throw new Error(parsed.why);
  return parsed.statements[0] as ReadStatement;
}

function view(
  groups: readonly PlacedGroup[],
  self: number | undefined,
  ids: readonly number[],
): RouteView {
  return {
    placement: placementWith(groups),
    directory: directoryWith(self, ids),
    metadata: METADATA,
  };
}

const REQUEST = { database: 'db', policy: '', allowsPartial: false };

function nodesFor(text: string, given: RouteView, changes: Partial<typeof REQUEST> = {}): unknown {
  const route = routeOf(statementOf(text), { ...REQUEST, ...changes }, given);
  if (route.kind === 'refused') return `${route.status.toString()} ${route.code}`;
  return route.candidates
    .map(({ node, groups }) => `${node.toString()}:${groups.join('+')}`)
    .join(' ');
}

const ALL = 'SELECT v FROM cpu';

describe('routeOf', () => {
  it('proposes this node first, then those that are alive, then the others', () => {
    expect(nodesFor(ALL, view([group(1, [[1, 2, 3, 4]])], 3, [-1, 2, 3, 4]))).to.equal(
      '3:1 2:1 4:1 1:1',
    );
  });

  it('needs an owner of every shard of every group that the times touch', () => {
    const groups = [
      group(1, [[1, 2]]),
      group(2, [
        [2, 3],
        [2, 1],
      ]),
      group(3, [[3]]),
    ];
    const given = view(groups, 1, [1, 2, 3]);
    expect(nodesFor(ALL, given)).to.equal('501 not-answerable');
    expect(nodesFor(`${ALL} WHERE time >= 100 AND time < 300`, given)).to.equal('2:1+2');
    expect(nodesFor(`${ALL} WHERE time >= 100 AND time < 200`, given)).to.equal('1:1 2:1');
    expect(nodesFor(`${ALL} WHERE time >= 300`, given)).to.equal('3:3');
  });

  it('never proposes an incomplete owner, and refuses where there is no other', () => {
    expect(nodesFor(ALL, view([group(1, [[-1, 2]])], 1, [1, 2]))).to.equal('2:1');
    expect(nodesFor(ALL, view([group(1, [[-1, -2]])], 1, [1, 2]))).to.equal('503 incomplete');
  });

  it('proposes the one that lacks least where the client takes a partial answer, and says what it lacks', () => {
    const groups = [group(1, [[-1, -2]]), group(2, [[-1, 2]])];
    const route = routeOf(
      statementOf(ALL),
      { ...REQUEST, allowsPartial: true },
      view(groups, 1, [1, 2]),
    );
    expect(route).to.deep.equal({
      kind: 'routed',
      candidates: [
        {
          node: 2,
          groups: [2],
          missing:
            'node 2 may lack points in group 1 of db.autogen from 1970-01-01T00:00:00.0000001Z (w)',
        },
        {
          node: 1,
          groups: [],
          missing:
            'node 1 may lack points in group 1 of db.autogen from 1970-01-01T00:00:00.0000001Z (w), ' +
            'group 2 of db.autogen from 1970-01-01T00:00:00.0000002Z (w)',
        },
      ],
    });
  });

  it('gives no partial answer where the data is spread', () => {
    const given = view([group(1, [[1], [2]])], 1, [1, 2]);
    expect(nodesFor(ALL, given, { allowsPartial: true })).to.equal('501 not-answerable');
  });

  it('takes the policy of the source, else of the request, else the default one', () => {
    const groups = [group(1, [[1]]), { ...group(2, [[2]]), policy: 'other' }];
    const given = view(groups, 1, [1, 2]);
    expect(nodesFor('SELECT v FROM other.cpu', given)).to.equal('2:2');
    expect(nodesFor(ALL, given, { policy: 'other' })).to.equal('2:2');
    expect(nodesFor(ALL, given)).to.equal('1:1');
    expect(nodesFor('SELECT v FROM cpu, other.cpu', given)).to.equal('501 not-answerable');
    expect(nodesFor('SELECT v FROM (SELECT v FROM other.cpu)', given)).to.equal('2:2');
  });

  it('needs all groups of the database for what is known of series', () => {
    const groups = [group(1, [[1, 2]]), { ...group(2, [[2]]), policy: 'other' }];
    expect(nodesFor('SHOW TAG KEYS', view(groups, 1, [1, 2]))).to.equal('2:1+2');
    expect(nodesFor('SHOW SERIES ON nothere', view(groups, 1, [1, 2]))).to.equal('1:');
  });

  it('lets any node answer where there are no groups, and this one alone for a database that is its own', () => {
    expect(nodesFor(ALL, view([], 2, [1, 2]))).to.equal('2: 1:');
    expect(nodesFor('SELECT * FROM _internal.monitor.cpu', view([], 2, [1, 2]))).to.equal('2:');
  });

  it('refuses before this agent knows which node it is, where nobody else is known', () => {
    expect(nodesFor(ALL, view([], undefined, []))).to.equal('503 manager-unreachable');
  });
});
