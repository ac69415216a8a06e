// The routes about hints on the agent's socket, as `clusterflux handoff` uses them, over a real socket and real files.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { createHandoffControl } from '../../../../../agent/gateway/handoff/control.js';
import { nodeHintFiles } from '../../../../../agent/gateway/handoff/hint-files.js';
import { HintedHandoff } from '../../../../../agent/gateway/handoff/hinted-handoff.js';
import { createHandoffMetrics } from '../../../../../agent/gateway/handoff/metrics.js';
import type { ApplyOutcome } from '../../../../../agent/gateway/owner/port.js';
import type { ControlServerDeps } from '../../../../../agent/status/control-server.js';
import { ControlServer } from '../../../../../agent/status/control-server.js';
import { systemClock } from '../../../../../shared/lifecycle/clock.js';
import { silentLogger } from '../../../../../shared/log/logger.js';
import { createRegistry } from '../../../../../shared/metrics/registry.js';
import { eventually } from '../../../../support/eventually.js';
import type { TemporaryDirectory } from '../../../../support/temp-dir.js';
import { temporaryDirectory } from '../../../../support/temp-dir.js';
import { run } from '../../../cli/support.js';
import { batch, UID } from './hints.js';

describe('clusterflux handoff', () => {
  let directory: TemporaryDirectory;
  let handoff: HintedHandoff;
  let server: ControlServer;
  let answer: ApplyOutcome;
  let lost: (readonly number[] | undefined)[];

  beforeEach(async () => {
    directory = await temporaryDirectory('handoff');
    answer = { kind: 'failed', why: 'it is down' };
    lost = [];
    handoff = new HintedHandoff({
      stateDir: directory.path,
      files: nodeHintFiles(),
      config: {
        maxBytes: 1_000_000,
        maxAgeMs: 1_000_000,
        minFreeBytes: 0,
        retryIntervalMs: 60_000,
        retryMaxIntervalMs: 60_000,
        retryRateLimitBytes: 0,
      },
      clock: systemClock(),
      logger: silentLogger(),
      random: () => 0.9,
      sender: { send: async () => answer },
      nodeOf: () => 2,
      versions: () => ({ placement: 1, metadata: 1 }),
      catchUp: async () => undefined,
      afterDeletes: async (one) => one,
      onFirstHint: () => undefined,
      onDrained: () => undefined,
      onLost: async (_uid, groups) => void lost.push(groups),
    });
    await handoff.start();
    server = new ControlServer({
      path: join(directory.path, 'agent.sock'),
      logger: silentLogger(),
      handoff: createHandoffControl(handoff),
    } as unknown as ControlServerDeps);
    await server.start();
  });
  afterEach(async () => {
    await server.stop();
    await handoff.stop();
    await directory.remove();
  });

  const clusterflux = (...args: string[]) =>
    run(['handoff', ...args, '--state-dir', directory.path]);

  async function keepSome(): Promise<void> {
    await handoff.keep(UID, batch('m v=1 1\nm v="a b\nc" 2', { precision: 's', points: 2 }));
    await handoff.keep(UID, batch('m v=3 -3', { precision: 'ms' }));
    await handoff.keep(UID, batch('n v=4 4', { database: 'other', policy: 'year' }));
  }

  it('lists backlogs and shows one with its first hints', async () => {
    await keepSome();
    const list = await clusterflux('list', '-o', 'json');
    const [backlog] = JSON.parse(list.stdout) as Record<string, unknown>[];
    expect(backlog).to.include({ owner: UID, node: 2, records: 3, points: 4 });
    await eventually(async () => {
      const shown = await clusterflux('get', '2');
      expect(shown.stdout).to.contain('backing-off').and.to.contain('it is down');
      expect(shown.stdout).to.match(/other\.year.*n v=4 4/);
    });
    const byUid = await clusterflux('get', UID.slice(0, 8), '-o', 'json');
    expect(JSON.parse(byUid.stdout)).to.have.property('first').with.length(3);
  });

  it('exports all of it with times in nanoseconds, over nothing that is there', async () => {
    await keepSome();
    const file = join(directory.path, 'export.txt');
    expect((await clusterflux('export', '2', file)).exitCode).to.equal(0);
    expect(await readFile(file, 'utf8')).to.equal(
      [
        '# DDL\n\n# DML',
        '# CONTEXT-DATABASE: db\n# CONTEXT-RETENTION-POLICY: autogen',
        'm v=1 1000000000\nm v="a b\nc" 2000000000\nm v=3 -3000000',
        '# CONTEXT-DATABASE: other\n# CONTEXT-RETENTION-POLICY: year\nn v=4 4\n',
      ].join('\n'),
    );
    expect((await clusterflux('export', '2', file)).exitCode).to.equal(1);
  });

  it('drains: attempts at once, and ends when nothing is left or at the deadline', async () => {
    await keepSome();
    // Long enough for the agent's first answer also on a busy machine: it says how many wait.
    const vain = await clusterflux('drain', '2', '--wait', '1s');
    expect(vain).to.include({ exitCode: 8 });
    expect(vain.stderr).to.contain('3 hints');
    answer = { kind: 'applied' };
    const done = await clusterflux('drain', '2', '--wait', '10s');
    expect(done).to.include({ exitCode: 0, stdout: 'nothing waits for node 2\n' });
  });

  it('purges only when told twice, and marks the owner first', async () => {
    await keepSome();
    expect((await clusterflux('purge', '2')).exitCode).to.equal(2);
    const dry = await clusterflux('purge', '2', '--dry-run');
    expect(dry.stdout).to.contain('3 hints with 4 points for node 2 would be given up');
    expect(lost).to.deep.equal([]);
    expect((await clusterflux('purge', '2', '--yes')).exitCode).to.equal(0);
    expect(lost).to.deep.equal([[1]]);
    expect(handoff.holds(UID)).to.equal(false);
  });

  it('says who is not known, and that no agent runs', async () => {
    const unknown = await clusterflux('get', '7');
    expect(unknown).to.include({ exitCode: 6 });
    expect(unknown.stderr).to.contain('"7"');
    await server.stop();
    const nobody = await clusterflux('list');
    expect(nobody.exitCode).to.equal(1);
    expect(nobody.stderr).to.contain('no agent runs on the state directory');
  });

  it('is measured per owner', async () => {
    const registry = createRegistry({ version: '1', commit: 'c', service: 'agent' });
    createHandoffMetrics(registry, () => handoff.all(), systemClock());
    await keepSome();
    answer = { kind: 'applied' };
    await clusterflux('drain', '2');
    await eventually(() => !handoff.holds(UID));
    const text = await registry.metrics();
    expect(text).to.contain('clusterflux_handoff_records{owner="2"} 0');
    expect(text).to.contain('clusterflux_handoff_delivered_records_total{owner="2"} 3');
  });
});
