import { startCluster } from '/work/main/test/support/cluster.js';
describe('x', function(){ this.timeout(200000); for (let i=0;i<5;i++) it('start '+i, async()=>{ const t=Date.now(); const c=await startCluster({}); const took=Date.now()-t; console.log(took); if (took>8000) { for (const n of c.nodes) console.log(await n.agent.log()); } await c.stop(); }); });
