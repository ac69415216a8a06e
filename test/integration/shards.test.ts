// What a person sees and changes of the placement, on real servers: `clusterflux shards`, a server that brings data along, cuts,
// owners that are taken out of reads, and nodes that are still needed.
import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlacementBody } from '../../shared/api/placement.js';
import { parseTime } from '../../shared/influx/time.js';
import { dealOwners } from '../../shared/placement/groups.js';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';
import { countOf, read, write } from '../support/gateway/client.js';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temp-dir.js';

/** Long enough for three agents on a busy machine to confirm a cut, short enough to wait for. */
const CUT_LEAD = '4s';

const MS_NS = 1_000_000n;
const BROUGHT = 20;
const LATE_POINTS = 40;

type Group = PlacementBody['groups'][number];

describe('clusterflux shards', function () {
  this.timeout(60_000);
  let directory: TemporaryDirectory;
  before(async () => {
    directory = await temporaryDirectory('shards');
    await writeFile(join(directory.path, 'secret'), `${'s'.repeat(40)}\n`);
  });
  after(() => directory.remove());
  const cluster = useCluster({ nodes: 0, config: { placement: { 'cut-lead': CUT_LEAD } } });
  const withSecret = () => ({
    config: { agent: { 'secret-file': join(directory.path, 'secret') } },
  });
  const node = (id: number): ClusterNode => {
    const found = cluster().nodes[id - 1];
    if (found === undefined) throw new Error(`there is no node ${id}`);
    return found;
  };
  const gateways = () => cluster().nodes.map(({ gatewayUrl }) => gatewayUrl);

  before('two nodes, and a server with data that joins them', async () => {
    for (let id = 1; id <= 2; id += 1) await cluster().addNode(withSecret());
    const third = await cluster().addNode({ ...withSecret(), withAgent: false });
    await third.influxd.query('CREATE DATABASE "brought"');
    await third.influxd.write('brought', linesFrom(Date.now() - 60_000, BROUGHT));
    await third.startAgent();
    for (const [index, each] of cluster().nodes.entries()) {
      expect((await each.status()).node).to.equal(index + 1);
    }
    const made = await read(node(1).gatewayUrl, '', 'CREATE DATABASE "d"');
    expect(made.error).to.equal('');
    await eventually(async () => expect((await placement()).members).to.deep.equal([1, 2, 3]));
    await cluster().converged();
  });

  /** Runs `clusterflux shards …` with a node's configuration; it has to succeed. */
  async function shards(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await node(1).cli('shards', ...args);
    expect(code, stderr).to.equal(0);
    return stdout;
  }

  /** Of the manager's API, which takes no process to ask. */
  async function placement(): Promise<PlacementBody> {
    const { name, managers } = cluster();
    return managers[0]!.get(`/clusters/${name}/placement/0?wait=0s`);
  }

  /** By start. Without the one that may have been made ahead for the next week. */
  async function groupsOf(database: string): Promise<Group[]> {
    const { groups } = await placement();
    const soonMs = Date.now() + 60_000;
    return groups
      .filter((group) => group.database === database && Date.parse(group.start) < soonMs)
      .sort((a, b) => Date.parse(a.start) - Date.parse(b.start));
  }

  const ownersOf = (group: Group | undefined): number[][] | undefined =>
    group?.shards.map(({ owners }) => owners.map((owner) => owner.node).sort());

  async function events(): Promise<string> {
    return (await node(1).cli('events')).stdout;
  }

  /** All gateways say the same; what was heard through another one a moment ago may need a moment. */
  async function everywhere(database: string, count: number, servers?: readonly number[]) {
    for (const url of gateways()) {
      await eventually(async () => {
        const answer = await countOf(url, database);
        expect(answer).to.deep.include({ count, error: '' });
        if (servers !== undefined) expect(servers).to.include(answer.servedBy);
      });
    }
  }

  /** Writes points of now through all gateways in turn, none refused, until some time after the cut. */
  async function untilBehind(cutMs: number): Promise<{ early: number; late: number }> {
    const count = { early: 0, late: 0 };
    for (let turn = 0; count.late < LATE_POINTS; turn += 1) {
      const nowMs = Date.now();
      const url = gateways()[turn % 4] ?? '';
      const answer = await write(url, 'd', `m,host=h${turn} v=1 ${nowMs}000000`, {
        consistency: 'all',
      });
      expect(answer.status, answer.text).to.equal(204);
      count[nowMs < cutMs ? 'early' : 'late'] += 1;
    }
    return count;
  }

  it('a server that joins with data: its points are there for all, once, and new ones go to all', async () => {
    await everywhere('brought', BROUGHT, [3]);
    const lines = linesFrom(Date.now(), 10);
    const { status, headers } = await write(node(1).gatewayUrl, 'brought', lines, {
      consistency: 'all',
    });
    expect([status, headers.get('x-clusterflux-applied')]).to.deep.equal([204, '3']);
    // The third alone has what it brought.
    await everywhere('brought', BROUGHT + 10, [3]);
    for (const [id, count] of [
      [1, 10],
      [2, 10],
      [3, BROUGHT + 10],
    ] as const) {
      expect(await stored(node(id), 'brought'), `node ${id}`).to.equal(count);
    }
    const groups = await groupsOf('brought');
    const [adopted, ...others] = groups.sort((a, b) => a.id - b.id);
    expect([adopted?.adopted, ownersOf(adopted)]).to.deep.equal([true, [[3]]]);
    expect(others.map(ownersOf)).to.deep.equal(others.map(() => [[1, 2, 3]]));
    expect(await shards('list', '--database', 'brought')).to.match(/adopted/);
    expect(await events()).to.match(/node 3 brought 1 shard group with data/);
  });

  it("list: groups with owners; -o wide --local: every owner's own shards and their bytes", async () => {
    const now = Date.now();
    const old = now - 30 * 86_400_000;
    const lines = [...linesFrom(now, 10), ...linesFrom(old, 5)];
    const answer = await write(node(2).gatewayUrl, 'd', lines, { consistency: 'all' });
    expect(answer.status, answer.text).to.equal(204);
    const groups = await groupsOf('d');
    expect(groups.map(ownersOf)).to.deep.equal([[[1, 2, 3]], [[1, 2, 3]]]);
    // An agent looks at the sizes when it starts, and once a minute.
    await node(2).restartAgent();

    const ids = groups.map(({ id }) => String(id));
    const rowsOfThem = async (...args: string[]) => {
      const rows = rowsOf(await shards('list', '--database', 'd', ...args)).map(fieldsOf);
      return rows.filter(([id = '']) => ids.includes(id));
    };
    for (const [, ...row] of await rowsOfThem()) {
      const [database, policy, , , state, count, owners] = row;
      expect([database, policy, state, count]).to.deep.equal(['d', 'autogen', 'ok', '1']);
      expect(owners?.split(',').sort()).to.deep.equal(['1', '2', '3']);
    }
    const shown = JSON.parse(await shards('list', '-o', 'json')) as PlacementBody;
    expect(shown.groups).to.have.deep.members((await placement()).groups);
    const wide = await rowsOfThem('--local', '-o', 'wide');
    expect(wide).to.have.length(6);
    for (const id of [1, 2, 3]) {
      const rows = wide.filter((row) => row[6] === String(id));
      const local = rows.map((row) => row.at(-2));
      expect(local).to.have.members(await localShards(node(id), 'd'));
      if (id === 2) for (const row of rows) expect(Number(row.at(-1))).to.be.above(0);
    }
    const map = await shards('map', '--database', 'd');
    expect(map).to.match(/^d\.autogen\n/);
    for (const { start } of groups) expect(map).to.include(`\n${start}`);
  });

  it('explain: where a line goes, and who can answer a query', async () => {
    const [line] = linesFrom(Date.now(), 1);
    const [point] = JSON.parse(
      await shards('explain', '--database', 'd', '-o', 'json', line!),
    ) as Record<string, unknown>[];
    const newest = (await groupsOf('d')).at(-1);
    expect(point).to.deep.include({ series: 'm,host=h0', policy: 'autogen', group: newest?.id });
    const query = `SELECT count(v) FROM m WHERE time >= ${Date.now() - 1}000000 AND time < ${Date.now()}000000`;
    const [statement] = JSON.parse(
      await shards('explain', '--database', 'd', '-o', 'json', query),
    ) as { groups: { id: number }[] }[];
    expect(statement?.groups.map(({ id }) => id)).to.deep.equal([newest?.id]);
    expect(await shards('explain', '--database', 'd', query)).to.match(/1, ?2, ?3/);
    const wrong = await node(1).cli('shards', 'explain', '--database', 'd', 'neither');
    expect([wrong.code, wrong.stderr]).to.satisfy(
      ([code, text]: [number, string]) => code !== 0 && /neither a query/.test(text),
    );
  });

  it('mark: an incomplete owner answers no reads, takes points, and keeps working; then it is back', async () => {
    const url = node(1).gatewayUrl;
    await eventually(async () =>
      expect(await countOf(url, 'd')).to.deep.include({ count: 15, servedBy: 1 }),
    );
    await shards('mark', '1', 'incomplete', '--why', 'its disk was replaced', '--yes');
    await everywhere('d', 15, [2, 3]);
    expect(await shards('list', '--database', 'd')).to.match(/1!.*node 1: its disk was replaced/);
    expect(await shards('list', '--database', 'd', '-o', 'wide')).to.match(/no .*its disk was/);
    await node(1).restartAgent();
    const written = await write(url, 'd', linesFrom(Date.now() + 1_000, 1), { consistency: 'all' });
    expect(written.status, written.text).to.equal(204);
    expect(await stored(node(1), 'd')).to.equal(16);
    await everywhere('d', 16, [2, 3]);

    await shards('mark', '1', 'complete', '--yes');
    await eventually(async () =>
      expect(await countOf(url, 'd')).to.deep.include({ count: 16, servedBy: 1 }),
    );
    expect(await events()).to.match(/node 1 was marked complete for \d shard groups/);
  });

  it('truncate: all members confirm, and before and behind the cut points land where they belong', async () => {
    const old = (await groupsOf('d')).at(-1)!;
    await cluster().addNode(withSecret());
    await eventually(async () => expect((await placement()).members).to.deep.equal([1, 2, 3, 4]));
    await shards('truncate', '--database', 'd', '--policy', 'autogen', '--yes');
    const cutOf = async () => (await groupsOf('d')).find(({ id }) => id === old.id)?.cut;
    const at = (await cutOf())?.at ?? '';
    const atNs = parseTime(at) ?? 0n;
    const cutMs = Number(atNs / MS_NS);
    const before = await stored(node(1), 'd');
    const behind = await untilBehind(cutMs);
    expect(await cutOf()).to.deep.equal({ at, confirmed: [1, 2, 3, 4], counts: true });
    expect(behind.early, 'points before the cut').to.be.above(0);

    const groups = await groupsOf('d');
    const next = groups.find(({ start, cut }) => start === at && cut === undefined);
    const owners = [...(dealOwners([1, 2, 3, 4], 'd', 3)[0] ?? [])].sort();
    expect(ownersOf(next)).to.deep.equal([owners]);
    const [line] = linesFrom(cutMs + 500, 1);
    const explained = await shards('explain', '--database', 'd', '-o', 'json', line!);
    expect((JSON.parse(explained) as { group: number }[])[0]?.group).to.equal(next?.id);
    for (const id of [1, 2, 3, 4]) {
      const late = await stored(node(id), 'd', `m WHERE time >= ${atNs}`);
      expect(late, `node ${id}, behind`).to.equal(owners.includes(id) ? behind.late : 0);
      const early = await stored(node(id), 'd', `m WHERE time < ${atNs}`);
      expect(early, `node ${id}, before`).to.equal(id === 4 ? 0 : before + behind.early);
    }
    // Groups whose owners are not this node: it asks one of them.
    const { count, servedBy, error } = await countOf(
      node(4).gatewayUrl,
      'd',
      `m WHERE time < ${atNs}`,
    );
    expect([count, error]).to.deep.equal([before + behind.early, '']);
    expect(servedBy).to.be.oneOf([1, 2, 3]);
  });

  it('a node that alone has the points of a group is not forgotten, unless by force, and that is an event', async () => {
    const refused = await node(1).cli('nodes', 'forget', '3', '--yes');
    expect(refused.code, refused.stdout).to.not.equal(0);
    expect(refused.stderr).to.match(/only complete owner of 1 shard group/);
    const answer = await fetch(`${cluster().managers[0]!.url}/nodes/${cluster().name}/3`, {
      method: 'DELETE',
    });
    const problem = (await answer.json()) as { code: string; groups: { database: string }[] };
    expect([answer.status, problem.code]).to.deep.equal([409, 'node-needed']);
    expect(problem.groups.map(({ database }) => database)).to.deep.equal(['brought']);

    await node(3).end();
    const forced = await node(1).cli('nodes', 'forget', '3', '--force', '--yes');
    expect(forced.code, forced.stderr).to.equal(0);
    expect(await events()).to.match(/by force: 1 shard group had it as the only complete owner/);
    await eventually(async () => expect((await placement()).members).to.deep.equal([1, 2, 4]));
  });
});

/** A point for each millisecond, of ten series. */
function linesFrom(startMs: number, count: number): string[] {
  return Array.from(
    { length: count },
    (_, number) => `m,host=h${number % 10} v=${number} ${startMs + number}000000`,
  );
}

/** What one influxd itself has. */
async function stored({ influxd }: ClusterNode, database: string, from = 'm'): Promise<number> {
  const [result] = await influxd.query(`SELECT count(v) FROM ${from}`, { db: database });
  return Number(result?.series?.[0]?.values?.[0]?.[1] ?? 0);
}

/** Ids of a server's own shards of a database. */
async function localShards({ influxd }: ClusterNode, database: string): Promise<string[]> {
  const [result] = await influxd.query('SHOW SHARDS');
  const rows = result?.series?.find(({ name }) => name === database)?.values ?? [];
  return rows.map(([id]) => String(id));
}

/** Of a table, without its head. */
function rowsOf(table: string): string[] {
  return table
    .split('\n')
    .slice(1)
    .filter((row) => row.trim() !== '');
}

function fieldsOf(row: string): string[] {
  return row.trim().split(/ +/);
}
