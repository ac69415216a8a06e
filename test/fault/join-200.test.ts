// Many agents join at once, each with a database of its own, beside a real node: until all have what all have. A few dozen as a
// rule; 200 where CLUSTERFLUX_TEST_RUNS asks for the long forms.
import { expect } from 'chai';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { killAtExit } from '../support/at-exit.js';
import { builtLauncher, checkout } from '../support/build.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { noteFigure } from '../support/fault/figures.js';
import type { ManyAgentsMessage, ManyAgentsReport } from '../support/fault/many-agents.js';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temp-dir.js';

const isLong = process.env['CLUSTERFLUX_TEST_RUNS'] !== undefined;
const AGENTS = isLong ? 200 : 40;
const PROCESSES = 2;

/** What it may take on two cores that have nothing else to do, several times over. */
const EQUAL_WITHIN_MS = isLong ? 600_000 : 60_000;

describe(`${AGENTS} agents join at once`, function () {
  this.timeout(EQUAL_WITHIN_MS + 60_000);
  let cluster: TestCluster;
  let directory: TemporaryDirectory;
  const crowds: ChildProcess[] = [];

  before(async () => {
    cluster = await startCluster({
      nodes: 1,
      launcher: await builtLauncher('failpoints'),
      // As by default: so many agents on one machine are late with their heartbeats, which is not the question here.
      etcdTtl: '15s',
    });
    directory = await temporaryDirectory('crowd');
  });
  after(async () => {
    for (const crowd of crowds) crowd.kill('SIGKILL');
    await cluster.stop();
    await directory.remove();
  });

  it('and all of them, and the real one, end with what all of them brought', async () => {
    const [node] = cluster.nodes;
    const [manager] = cluster.managers;
    await node!.influxd.query('CREATE DATABASE "of a real one"');
    await cluster.converged();
    for (let index = 0; index < PROCESSES; index += 1) crowds.push(startCrowd());
    await Promise.all(crowds.map((crowd, index) => tell(crowd, orderOf(index))));
    const began = performance.now();
    await Promise.all(crowds.map((crowd) => tell(crowd, { say: 'join' })));
    await eventually(
      async () => {
        const reports = await Promise.all(crowds.map((crowd) => tell(crowd, { say: 'report' })));
        const names = await node!.influxd.names('SHOW DATABASES');
        expect(new Set(reports.flatMap(({ digests }) => digests)).size, 'schemas').to.equal(1);
        expect(reports.map(({ databases }) => databases)).to.deep.equal([AGENTS + 1, AGENTS + 1]);
        expect(names).to.have.length(AGENTS + 1);
      },
      { withinMs: EQUAL_WITHIN_MS, everyMs: 200 },
    );
    const convergedMs = Math.round(performance.now() - began);
    const { version } = await manager!.get<{ version: number }>(`/clusters/${cluster.name}`);
    const nodes = await manager!.get<{ alive: boolean }[]>(`/nodes/${cluster.name}`);
    expect(nodes.filter(({ alive }) => alive)).to.have.length(AGENTS + 1);
    noteFigure({
      fault: `${AGENTS} agents joined at once`,
      acknowledged: AGENTS + 1,
      versions: version,
      convergedMs,
      complaints: 0,
    });
  });

  function orderOf(index: number): ManyAgentsMessage {
    const count = AGENTS / PROCESSES;
    const { name, managers } = cluster;
    const first = 1 + index * count;
    const urls = managers.map(({ url }) => url);
    return { order: { first, count, cluster: name, managers: urls, dir: directory.path } };
  }
});

function startCrowd(): ChildProcess {
  const program = join(checkout, 'test/support/fault/many-agents.ts');
  const crowd = fork(program, {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  killAtExit(crowd);
  return crowd;
}

async function tell(crowd: ChildProcess, message: ManyAgentsMessage): Promise<ManyAgentsReport> {
  const signal = AbortSignal.timeout(EQUAL_WITHIN_MS);
  const answered = once(crowd, 'message', { signal });
  crowd.send(message);
  const [answer] = (await answered) as [ManyAgentsReport];
  return answer;
}
