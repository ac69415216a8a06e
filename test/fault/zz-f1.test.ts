import { startPointsCluster } from '../support/fault/points/points-cluster.js';
describe('x', function () {
  this.timeout(600_000);
  it('y', async () => {
    const points = await startPointsCluster({ seed: 5, dir: '/tmp/f1/logs' });
    try {
      for (let i = 0; i < 4; i += 1) {
      const [n1, n2, n3] = points.cluster.nodes;
      await points.during(async (load) => {
        const list = async () => { const l = await points.cluster.managers[0]!.get<{id:number;behind?:number[]}[]>('/nodes/test'); return l.map((x) => `${x.id}<-${x.behind ?? ''}`).join(' '); };
        const ids = await Promise.all([n1!, n2!, n3!].map(async (n) => (await n.status()).node));
        console.log(new Date().toISOString(), 'ids', ids, 'before', await list());
        await Promise.all([n2!.end(), n3!.end()]);
        console.log(new Date().toISOString(), 'killed', await list());
        for (let k = 0; k < 6; k += 1) { const s = load.records[0]!.figures; await new Promise((r) => setTimeout(r, 1000)); const t = load.records[0]!.figures; console.log(t.served - s.served, t.failed - s.failed, load.records[0]!.lastFailure, await list()); }
        await Promise.all([n2!, n3!].map((node) => node.startInfluxd()));
        await Promise.all([n2!, n3!].map((node) => node.startAgent()));
      }, { fault: 'z' });
      }
    } finally { await points.stop(); }
  });
});
