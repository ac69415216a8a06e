// Hints as a person sees them, on real servers: `clusterflux handoff` beside an agent that keeps writes for a node that is away,
// InfluxDB's own importer for what was exported, and what becomes of hints for a node that is gone.
import { expect } from 'chai';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlacementBody } from '../../shared/api/placement.js';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import type { CommandResult } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { countOf, read, write } from '../support/gateway/client.js';
import { influxShell } from '../support/gateway/influx-shell.js';
import { startInfluxd } from '../support/influxd.js';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temp-dir.js';

const START_MS = 1_700_000_000_000;
const POINTS = 100;
/** What `timeout` is as an exit code (cli/exit-codes.ts). */
const TIMEOUT = 8;

interface Backlog {
  readonly owner: string;
  readonly node: number | null;
  readonly records: number;
  readonly points: number;
}

describe('clusterflux handoff', function () {
  this.timeout(60_000);
  let directory: TemporaryDirectory;
  before(async () => {
    directory = await temporaryDirectory('handoff');
  });
  after(() => directory.remove());
  const cluster = useCluster({
    nodes: 0,
    config: { handoff: { 'retry-interval': '50ms', 'retry-max-interval': '200ms' } },
  });
  let holder: ClusterNode;
  let owner: ClusterNode;
  let written = 0;

  before(async () => {
    holder = await cluster().addNode();
    owner = await cluster().addNode();
    expect((await owner.status()).node).to.equal(2);
    const made = await read(holder.gatewayUrl, '', 'CREATE DATABASE "d"');
    expect(made.error).to.equal('');
    await eventually(async () => expect((await placement()).members).to.deep.equal([1, 2]));
    await cluster().converged();
  });

  const handoff = (...args: string[]): Promise<CommandResult> => holder.cli('handoff', ...args);

  async function list(): Promise<Backlog[]> {
    const { code, stdout, stderr } = await handoff('list', '-o', 'json');
    expect(code, stderr).to.equal(0);
    return JSON.parse(stdout) as Backlog[];
  }

  async function placement(): Promise<PlacementBody> {
    const { name, managers } = cluster();
    return managers[0]!.get(`/clusters/${name}/placement/0?wait=0s`);
  }

  /** Through the gateway of the one that is there. */
  async function writeAway(): Promise<void> {
    const lines = Array.from({ length: POINTS }, (_, index) => {
      const number = written + index;
      const series = `odd\\ one,host=h${number % 10},t\\,g=a\\=b`;
      return `${series} v=${number},i=${number}i,s="a \\"b\\" c",is=t ${START_MS + number}`;
    });
    const { gatewayUrl } = holder;
    const { status, headers, text } = await write(gatewayUrl, 'd', lines, { precision: 'ms' });
    expect(status, text).to.equal(204);
    expect(headers.get('x-clusterflux-hinted')).to.equal('1');
    written += POINTS;
  }

  async function metrics(): Promise<Map<string, number>> {
    const text = await (await fetch(`${holder.statusUrl}/metrics`)).text();
    const lines = text.matchAll(/^clusterflux_handoff_(\w+)\{owner="2"\} (\S+)$/gm);
    return new Map([...lines].map(([, name = '', value]) => [name, Number(value)]));
  }

  const ALL = 'SELECT * FROM /.*/ GROUP BY *';
  const stored = async (server: { query: ClusterNode['influxd']['query'] }): Promise<unknown> =>
    (await server.query(ALL, { db: 'd', params: { epoch: 'ns' } }))[0]?.series ?? [];

  it('list and get: for whom, how many, since when, why they wait, and the first lines', async () => {
    await owner.influxd.stop();
    await writeAway();
    expect((await list())[0]).to.deep.include({ node: 2, records: 1, points: POINTS });
    const table = await handoff('list');
    expect(table.stdout).to.match(/^ *2 +[0-9a-f-]{36} +1 +100 +\d+ /m);
    await eventually(async () => {
      const { stdout } = await handoff('get', '2');
      expect(stdout).to.match(/last error: +\S{2}/);
      expect(stdout).to.match(/d\.autogen +\d+ +100 +\d+ +odd\\ one,host=h0/);
    });
    const unknown = await handoff('get', '7');
    expect([unknown.code, unknown.stdout]).to.deep.equal([unknown.code || 1, '']);
    expect(unknown.stderr).to.match(/there are no hints for "7"/);
    const seen = await metrics();
    expect([seen.get('records'), seen.get('points')]).to.deep.equal([1, POINTS]);
    expect([seen.get('failing'), seen.get('delivered_records_total')]).to.deep.equal([1, 0]);
  });

  it('export: what `influx -import` reads makes the same points', async () => {
    const file = join(directory.path, 'hints.txt');
    const exported = await handoff('export', '2', file);
    expect(exported.code, exported.stderr).to.equal(0);
    expect((await stat(file)).mode & 0o777).to.equal(0o600);
    expect((await handoff('export', '2', file)).code, 'over a file that is there').to.not.equal(0);
    const spare = await startInfluxd();
    try {
      await spare.query('CREATE DATABASE "d"');
      const imported = await influxShell(spare.url, '-import', '-path', file);
      expect(imported.code, imported.output).to.equal(0);
      expect(await stored(spare)).to.deep.equal(await stored(holder.influxd));
    } finally {
      await spare.remove();
    }
  });

  it('drain: waits in vain while the owner is away, and until all is there when it is back', async () => {
    const vain = await handoff('drain', '2', '--wait', '200ms');
    expect(vain.code, vain.stderr).to.equal(TIMEOUT);
    await owner.influxd.start();
    const done = await handoff('drain', '2', '--wait', '20s');
    expect(done.code, done.stderr).to.equal(0);
    expect(await stored(owner.influxd)).to.deep.equal(await stored(holder.influxd));
    const seen = await metrics();
    expect([seen.get('records'), seen.get('failing')]).to.deep.equal([0, 0]);
    expect(seen.get('delivered_records_total')).to.equal(1);
  });

  it('purge: says what it would do; then the owner counts as lacking the points before they go', async () => {
    await owner.influxd.stop();
    await writeAway();
    const dry = await handoff('purge', '2', '--dry-run');
    expect(dry.stdout).to.match(/1 hints with 100 points for node 2 would be given up/);
    expect((await handoff('purge', '2')).code, 'without --yes').to.not.equal(0);
    expect((await list())[0]).to.deep.include({ node: 2, records: 1 });
    expect(incompleteOf(await placement(), 2)).to.deep.equal([]);

    await handoff('export', '2', join(directory.path, 'purged.txt'));
    const purged = await handoff('purge', '2', '--yes');
    expect(purged.code, purged.stderr).to.equal(0);
    expect((await list()).map(({ records }) => records)).to.not.include(1);
    const reasons = incompleteOf(await placement(), 2);
    expect(reasons).to.deep.equal(['hints for it were purged by a person']);

    await owner.influxd.start();
    await eventually(async () => {
      const answer = await countOf(owner.gatewayUrl, 'd', '"odd one"');
      expect(answer).to.deep.equal({ count: written, servedBy: 1, error: '' });
    });
    const [{ values = [] } = {}] =
      (await owner.influxd.query('SELECT count(v) FROM "odd one"', { db: 'd' }))[0]?.series ?? [];
    expect(values[0]?.[1]).to.equal(written - POINTS);
  });

  it('what was exported before, written to the owner itself, makes it whole; a person says so', async () => {
    const { url } = owner.influxd;
    const imported = await influxShell(url, '-import', '-path', join(directory.path, 'purged.txt'));
    expect(imported.code, imported.output).to.equal(0);
    expect(await stored(owner.influxd)).to.deep.equal(await stored(holder.influxd));
    const marked = await holder.cli('shards', 'mark', '2', 'complete', '--yes');
    expect(marked.code, marked.stderr).to.equal(0);
    await eventually(async () => {
      const answer = await countOf(owner.gatewayUrl, 'd', '"odd one"');
      expect(answer).to.deep.equal({ count: written, servedBy: 2, error: '' });
    });
  });

  it('a holder of hints is not forgotten; a node that is gone keeps its hints until somebody drops them', async () => {
    await owner.end();
    await writeAway();
    const [{ owner: uid } = { owner: '' }] = await list();
    await eventually(
      async () => {
        const refused = await holder.cli('nodes', 'forget', '1', '--yes');
        expect(refused.code).to.not.equal(0);
        expect(refused.stderr).to.match(/holds hints for node 2/);
      },
      { withinMs: 10_000 },
    );
    const forgotten = await holder.cli('nodes', 'forget', '2', '--yes');
    expect(forgotten.code, forgotten.stderr).to.equal(0);
    await eventually(async () =>
      expect((await list())[0]).to.deep.include({ owner: uid, node: null, points: POINTS }),
    );
    await holder.restartAgent();
    expect((await list())[0]).to.deep.include({ owner: uid, node: null, points: POINTS });

    const purged = await handoff('purge', uid.slice(0, 8), '--yes');
    expect(purged.stdout, purged.stderr).to.match(/100 points for the removed node .* given up/);
    expect(await list()).to.deep.equal([]);
    await eventually(async () => {
      const answer = await countOf(holder.gatewayUrl, 'd', '"odd one"');
      expect(answer).to.deep.equal({ count: written, servedBy: 1, error: '' });
    });
  });
});

/** Why a node may lack points, of each group that it may lack them of. */
function incompleteOf({ groups }: PlacementBody, node: number): string[] {
  return groups
    .flatMap(({ shards }) => shards.flatMap(({ owners }) => owners))
    .flatMap((owner) => (owner.node === node ? (owner.incomplete?.why ?? []) : []));
}
