import { writeFileSync } from 'node:fs';
import { useCluster } from '../support/cluster-suite.js';
import { failuresText, replay } from '../support/conformance.js';
writeFileSync('/tmp/h8/secret', '0123456789abcdef0123456789abcdef0123456789abcdef\n', { mode: 0o600 });
describe('secret', function () { this.timeout(240_000);
  const cluster = useCluster({ nodes: 3, config: { agent: { 'secret-file': '/tmp/h8/secret' } } });
  it('users', async () => { for (let n=0;n<3;n++){ const r = await replay(cluster().nodes.map(({gatewayUrl})=>gatewayUrl), { only: 'User|Auth|Privilege|Password' }); console.log(r.seconds, failuresText(r)); } });
  it('all', async () => { const r = await replay(cluster().nodes.map(({gatewayUrl})=>gatewayUrl)); console.log(r.seconds, failuresText(r)); });
});
