// Clusters of more than three nodes: four, where one node has nothing of a database and goes to those that have it; and six, where
// each group has two shards, writes are split by series, and a statement that needs both is refused in words.
import { expect } from 'chai';
import type { PlacementBody } from '../../shared/api/placement.js';
import { LineScanner } from '../../shared/influx/scan/line-scanner.js';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';
import { countOf, read, write } from '../support/gateway/client.js';

const START_NS = 1_700_000_000_000_000_000n;
const SERIES = 60;

describe('a cluster of more than three nodes', function () {
  this.timeout(60_000);
  const cluster = useCluster({ nodes: 4, config: { log: { level: 'info' } } });
  /** By node id. */
  let nodes: Map<number, ClusterNode>;

  const gateways = () => [...nodes.values()].map(({ gatewayUrl }) => gatewayUrl);

  async function placement(): Promise<PlacementBody> {
    const { name, managers } = cluster();
    return managers[0]!.get(`/clusters/${name}/placement/0?wait=0s`);
  }

  async function groupOf(database: string): Promise<PlacementBody['groups'][number]> {
    const { groups } = await placement();
    const [group, ...others] = groups.filter((each) => each.database === database);
    if (group === undefined) throw new Error(`${database} has no group`);
    expect(others).to.deep.equal([]);
    return group;
  }

  const ownersOf = (group: PlacementBody['groups'][number]): number[][] =>
    group.shards.map(({ owners }) => owners.map(({ node }) => node));

  /** All members, and all of them with what they are called. */
  async function untilMembers(count: number): Promise<void> {
    nodes = new Map();
    for (const node of cluster().nodes) nodes.set((await node.status()).node ?? 0, node);
    await eventually(async () => expect((await placement()).members).to.have.length(count));
  }

  async function create(database: string): Promise<void> {
    const [url = ''] = gateways();
    expect((await read(url, '', `CREATE DATABASE "${database}"`)).error).to.equal('');
    await cluster().converged();
  }

  async function writeAll(url: string, database: string, lines: readonly string[]): Promise<void> {
    const { status, text } = await write(url, database, lines, { consistency: 'all' });
    expect(status, text).to.equal(204);
  }

  /** Tags of the series that one influxd itself has. */
  async function seriesOn(node: ClusterNode, database: string): Promise<string[]> {
    const keys = await node.influxd.names('SHOW SERIES', { db: database });
    return keys.sort();
  }

  describe('of four', () => {
    before(() => untilMembers(4));

    it('a gateway that has nothing of a database passes writes and reads on, and each point is on three nodes', async () => {
      await create('four');
      const lines = linesOf(SERIES);
      const quarter = SERIES / 4;
      for (const [index, url] of gateways().entries()) {
        await writeAll(url, 'four', lines.slice(index * quarter, (index + 1) * quarter));
      }
      const [owners = [], ...more] = ownersOf(await groupOf('four'));
      expect([new Set(owners).size, more]).to.deep.equal([3, []]);
      for (const [id, node] of nodes) {
        const answer = await eventually(async () => {
          const found = await countOf(node.gatewayUrl, 'four');
          expect(found).to.deep.include({ count: SERIES, error: '' });
          return found;
        });
        const isOwner = owners.includes(id);
        expect(answer.servedBy).to.be.oneOf(isOwner ? [id] : owners);
        const own = await seriesOn(node, 'four');
        expect(own, `node ${id}`).to.have.length(isOwner ? SERIES : 0);
      }
    });

    it('what is asked of such a gateway beside SELECT comes from the owners too', async () => {
      const [owners = []] = ownersOf(await groupOf('four'));
      const [, other] = [...nodes].find(([id]) => !owners.includes(id)) ?? [];
      const shown = await read(other!.gatewayUrl, 'four', 'SHOW TAG VALUES WITH KEY = "host"');
      expect(shown.series[0]?.values).to.have.length(SERIES);
      const dropped = await read(other!.gatewayUrl, 'four', `DELETE FROM m WHERE "host" = 'h0'`);
      expect(dropped.error).to.equal('');
      for (const id of owners) {
        expect(await seriesOn(nodes.get(id)!, 'four')).to.have.length(SERIES - 1);
      }
    });
  });

  describe('of six', () => {
    before(async () => {
      await Promise.all([cluster().addNode(), cluster().addNode()]);
      await untilMembers(6);
      await create('six');
    });

    it('writes are split by the hash of their series, whichever gateway takes them', async () => {
      const lines = linesOf(SERIES);
      for (const [index, url] of gateways().entries()) {
        await writeAll(url, 'six', lines.slice(index * 10, (index + 1) * 10));
      }
      const owners = ownersOf(await groupOf('six'));
      expect(owners.map(({ length }) => length)).to.deep.equal([3, 3]);
      expect(owners.flat().sort()).to.deep.equal([1, 2, 3, 4, 5, 6]);
      const scanned = new LineScanner({ precision: 'n', defaultTimeNs: 0n }).scan(
        Buffer.from(lines.join('\n')),
      );
      const expected = owners.map((_, shard) =>
        lines
          .filter((__, line) => scanned.shardOf(line, owners.length) === shard)
          .map((line) => line.slice(0, line.indexOf(' ')))
          .sort(),
      );
      for (const series of expected) expect(series.length).to.be.above(SERIES / 6);
      for (const [shard, ids] of owners.entries()) {
        for (const id of ids) {
          const own = await seriesOn(nodes.get(id)!, 'six');
          expect(own, `node ${id}`).to.deep.equal(expected[shard]);
        }
      }
    });

    for (const q of [
      'SELECT count(v) FROM m',
      'SHOW MEASUREMENTS',
      'SHOW TAG KEYS',
      'SHOW SERIES',
      'SELECT v INTO other FROM m',
    ]) {
      it(`${q}: refused in words, because no node has both shards`, async () => {
        for (const url of gateways()) {
          const { status, code, error, headers, series } = await read(url, 'six', q);
          expect([status, code], error).to.deep.equal([501, 'not-answerable']);
          expect(error).to.match(/no single node keeps all the data .* six\.autogen/);
          expect(headers.get('x-clusterflux-complete')).to.equal(null);
          expect(series).to.deep.equal([]);
        }
      });
    }

    it('a time without groups, metadata, and databases that one node has whole are answered by all', async () => {
      for (const url of gateways()) {
        const elsewhere = await countOf(url, 'six', 'm WHERE time > now() - 1h');
        expect(elsewhere).to.deep.include({ count: 0, error: '' });
        const shown = await read(url, '', 'SHOW DATABASES');
        expect(shown.series[0]?.values?.flat()).to.include.members(['four', 'six']);
        expect(await countOf(url, 'four')).to.deep.include({ count: SERIES - 1, error: '' });
      }
    });

    it('a numbered delete goes to the owners of both shards', async () => {
      const [url = ''] = gateways();
      const lines = linesOf(2).map((line) => line.slice(0, line.indexOf(' ')));
      const { error } = await read(url, 'six', `DROP SERIES FROM m WHERE "host" =~ /^h[01]$/`);
      expect(error).to.equal('');
      for (const [id, node] of nodes) {
        const own = await seriesOn(node, 'six');
        expect(own.length, `node ${id}`).to.be.above(0);
        expect(own).to.not.include.any.members(lines);
      }
    });
  });
});

/** A series each, at one time, so that they are all of one group. */
function linesOf(count: number): string[] {
  return Array.from({ length: count }, (_, number) => `m,host=h${number} v=${number} ${START_NS}`);
}
