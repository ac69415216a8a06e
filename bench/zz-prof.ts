import { Cleanup, pause } from './support/bench.js';
import { startDataCluster, startReference } from './support/data-cluster.js';
import { Points } from './support/points.js';
import { cpuMs } from './support/proc.js';
import { writeAll, WriteTarget } from './support/writers.js';
const cleanup = new Cleanup();
const n = Number(process.argv[2] ?? 1), level = process.argv[3] ?? '', writers = Number(process.argv[4] ?? 4);
try {
  const { nodes } = await startDataCluster({ nodes: n, env: { NODE_OPTIONS: '--import /tmp/b1/prof.mjs' } }, cleanup);
  const points = new Points(5000);
  const targets = nodes.map(({ agent }) => new WriteTarget(agent.gatewayUrl, writers, level));
  let i = 0;
  const run = async (count: number, ts: WriteTarget[]) => { const b = points.bodies(count); return writeAll(b, writers, (x) => ts[i++ % ts.length]!.write(x)); };
  await run(40, targets);
  for (const { agent } of nodes) process.kill(agent.pid, 'SIGUSR2');
  await pause(300);
  const pids = nodes.flatMap(({ agent, influxd }) => [agent.pid, influxd.pid!]);
  const before = await Promise.all(pids.map(cpuMs)); const me = process.cpuUsage();
  const r = await run(60, targets);
  const after = await Promise.all(pids.map(cpuMs)); const me2 = process.cpuUsage(me);
  console.log('points/s', Math.round(60 * 5000 / r.tookMs * 1000), 'cpu us/pt agent,influxd per node', after.map((a, k) => ((a - before[k]!) * 1000 / 300000).toFixed(2)).join(' '), 'client', ((me2.user + me2.system) / 300000).toFixed(2));
  for (const { agent } of nodes) process.kill(agent.pid, 'SIGUSR2');
  await pause(1500);
  console.log(nodes.map(({ agent }) => agent.pid).join(' '));
  for (const t of targets) await t.close();
} finally { await cleanup.run(); }
