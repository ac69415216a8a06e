import { expect } from 'chai';
import fc from 'fast-check';
import { route, type RouteOptions } from '../../../../../agent/gateway/write/route.js';
import { ScannedPart } from '../../../../../agent/gateway/write/scanned-part.js';
import { groupBounds, groupStart } from '../../../../../shared/influx/group-time.js';
import { LineScanner } from '../../../../../shared/influx/scan/line-scanner.js';
import type { PlacedGroup } from '../../../../../shared/placement/model.js';

const HOUR_NS = 3_600_000_000_000n;
/** 2026-03-01, where a double steps by 256 ns. */
const NOW_NS = 1_772_323_200_000_000_000n;

function partOf(...lines: string[]): ScannedPart {
  const scanner = new LineScanner({ precision: 'n', defaultTimeNs: NOW_NS });
  return new ScannedPart(scanner.scan(Buffer.from(lines.join('\n'))));
}

/** A group for every hour, with so many shards; the same object for the same hour. */
function hours(shards = 1): (timeNs: bigint) => PlacedGroup {
  const made = new Map<bigint, PlacedGroup>();
  return (timeNs) => {
    const bounds = groupBounds(timeNs, HOUR_NS);
    const known = made.get(bounds.startNs);
    if (known !== undefined) return known;
    const group: PlacedGroup = {
      id: made.size + 1,
      database: 'd',
      policy: 'p',
      databaseMark: 1,
      policyMark: 1,
      ...bounds,
      shards: Array.from({ length: shards }, (_, id) => ({ id, owners: [{ node: 1 }] })),
    };
    made.set(bounds.startNs, group);
    return group;
  };
}

function options(more: Partial<RouteOptions> = {}): RouteOptions {
  return { writable: hours(), shardDurationNs: HOUR_NS, keepFromNs: undefined, ...more };
}

describe('routing lines to groups and shards', () => {
  it('leaves a body of one group as it is, to the very buffer', () => {
    const part = partOf(`m f=1 ${NOW_NS.toString()}`, `m f=2 ${(NOW_NS + 5n).toString()}`);
    const { parts } = route(part, options());
    expect(parts).to.have.length(1);
    expect(parts[0]?.lines.body()).to.equal(part.lines.body);
  });

  it('puts every line into the group that its exact time lies in, also at the very boundaries', () => {
    const near = fc.bigInt({ min: -5_000n, max: 5_000n });
    const time = fc
      .tuple(fc.integer({ min: -3, max: 3 }), near)
      .map(([hour, off]) => groupStart(NOW_NS, HOUR_NS) + BigInt(hour) * HOUR_NS + off);
    fc.assert(
      fc.property(fc.array(time, { minLength: 1, maxLength: 30 }), (times) => {
        const part = partOf(...times.map((each) => `m f=1 ${each.toString()}`));
        const { parts } = route(part, options());
        const found = parts.flatMap(({ group, lines }) =>
          Array.from({ length: lines.count }, (_, at) => {
            const timeNs = lines.lines.timeNs(lines.lineAt(at));
            expect(timeNs >= group.startNs && timeNs < group.endNs).to.equal(true);
            return timeNs;
          }),
        );
        expect(found.sort(compare)).to.deep.equal([...times].sort(compare));
      }),
    );
  });

  it('keeps the order of the lines within a batch', () => {
    const part = partOf('a f=1 1', `b f=1 ${NOW_NS.toString()}`, 'c f=1 2', 'd f=1 1');
    const { parts } = route(part, options());
    expect(parts.map(({ lines }) => lines.body().toString())).to.deep.equal([
      'a f=1 1\nc f=1 2\nd f=1 1',
      `b f=1 ${NOW_NS.toString()}`,
    ]);
  });

  it('puts all points of a series into one shard of its group', () => {
    const lines = Array.from({ length: 60 }, (_, index) => `m,s=${String(index % 20)} f=1 1`);
    const { parts } = route(partOf(...lines), options({ writable: hours(3) }));
    expect(parts).to.have.length(3);
    const shardsOf = new Map<string, Set<number>>();
    for (const { shard, lines: of } of parts) {
      for (const text of of.body().toString().split('\n')) {
        shardsOf.set(text, (shardsOf.get(text) ?? new Set()).add(shard.id));
      }
    }
    expect([...shardsOf.values()].every(({ size }) => size === 1)).to.equal(true);
    expect(shardsOf.size).to.equal(20);
  });

  it('names each missing group once', () => {
    const lines = ['a f=1 1', 'b f=1 2', `c f=1 ${(HOUR_NS * 5n).toString()}`];
    const { missing, parts } = route(partOf(...lines), options({ writable: () => undefined }));
    expect(missing).to.have.length(2);
    expect(parts).to.be.empty;
  });

  it('drops what is older than the policy keeps, to the nanosecond', () => {
    const keepFromNs = NOW_NS - HOUR_NS;
    const part = partOf(
      `a f=1 ${(keepFromNs - 1n - HOUR_NS).toString()}`,
      `b f=1 ${(keepFromNs + 1n).toString()}`,
    );
    const { beyond, parts } = route(part, options({ keepFromNs }));
    expect(beyond).to.equal(1);
    expect(parts.map(({ lines }) => lines.count)).to.deep.equal([1]);
  });

  it('takes an old point whose group is there because of a newer one, as influxd does', () => {
    const start = groupStart(NOW_NS, HOUR_NS);
    const lines = [`a f=1 ${(start + 1n).toString()}`, `b f=1 ${(start + 3_000n).toString()}`];
    const { beyond, parts } = route(partOf(...lines), options({ keepFromNs: start + 2_000n }));
    expect(beyond).to.equal(0);
    expect(parts[0]?.lines.count).to.equal(2);
  });

  it('sends what is behind a cut that counts to the group after it', () => {
    const [first, second] = [hours()(NOW_NS), hours()(NOW_NS)];
    const atNs = first.startNs + 1_000n;
    const before = { ...first, cut: { atNs, confirmed: [], counts: true } };
    const after = { ...second, id: 2, startNs: atNs };
    const writable = (timeNs: bigint) => (timeNs < atNs ? before : after);
    const lines = [atNs - 1n, atNs].map((each) => `m f=1 ${each.toString()}`);
    const { parts } = route(partOf(...lines), options({ writable }));
    expect(parts.map(({ group, lines: { count } }) => [group.id, count])).to.deep.equal([
      [1, 1],
      [2, 1],
    ]);
  });
});

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
