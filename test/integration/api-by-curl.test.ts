// The original's API calls as scripts make them, with curl and its defaults; cluster names that broke the original included.
import { expect } from 'chai';
import { useCluster } from '../support/cluster-suite.js';
import { curl, type CurlAnswer } from '../support/curl.js';
import { eventually } from '../support/eventually.js';
import { snapshotWith } from '../support/snapshots.js';

const NAMES = [
  'plain',
  'with blanks',
  'a/b/c',
  '100%',
  '%2F',
  'Zürich',
  '北京 🚀',
  '..x',
  'q?a=b&c#d',
  '"quoted"',
  '+plus+',
];

interface NodeBody {
  readonly id: number;
  readonly ip: string;
  readonly hostname: string;
  readonly 'bind-address': string;
  readonly alive: boolean;
}

for (const store of ['embedded', 'etcd'] as const) {
  describe(`the API by curl, over ${store}`, function () {
    this.timeout(30_000);
    const cluster = useCluster({ store, nodes: 0 });
    const api = (method: string, path: string, body?: string | Uint8Array): Promise<CurlAnswer> =>
      curl(method, `${cluster().managers[0]!.url}${path}`, body === undefined ? {} : { body });
    const registration = (hostname: string) =>
      JSON.stringify({ hostname, ips: ['10.0.0.1', '10.0.0.2'], 'bind-address': '10.0.0.1:8888' });

    for (const name of NAMES) {
      it(`registers, refreshes, lists and deregisters a node of the cluster ${JSON.stringify(name)}`, async () => {
        const path = `/nodes/${encodeURIComponent(name)}`;
        const registered = await api('POST', path, registration('one'));
        expect(registered.status).to.equal(201);
        const { id, cluster: said, ttl } = registered.json() as Record<string, unknown>;
        expect(said).to.equal(name);
        expect(ttl).to.equal(2);
        expect((await api('PUT', `${path}/${String(id)}`)).status).to.equal(200);
        const [listed] = (await api('GET', path)).json() as NodeBody[];
        expect(listed).to.include({
          id,
          ip: '10.0.0.1,10.0.0.2',
          hostname: 'one',
          'bind-address': '10.0.0.1:8888',
          alive: true,
        });
        const second = (await api('POST', path, registration('two'))).json() as NodeBody;
        expect(second.id, 'a plain client gets a new id each time').to.not.equal(id);
        expect((await api('DELETE', `${path}/${String(id)}`)).status).to.equal(204);
        const left = (await api('GET', path)).json() as NodeBody[];
        expect(left.map((node) => node.id)).to.deep.equal([second.id]);
      });

      it(`writes and reads the metadata of the cluster ${JSON.stringify(name)} by compare-and-swap`, async () => {
        const path = `/clusters/${encodeURIComponent(name)}/versions`;
        const bodies = [snapshotWith('a'), snapshotWith('a', 'b'), snapshotWith('c')] as const;
        const first = await api('PUT', `${path}/0`, bodies[0]);
        expect(first.status).to.equal(200);
        expect(first.json()).to.include({ version: 1 });
        const second = await api('POST', `${path}/1`, bodies[1]);
        expect(second.status).to.equal(200);
        expect(second.json()).to.include({ version: 2 });
        const lost = await api('PUT', `${path}/1`, bodies[2]);
        expect(lost.status).to.equal(409);
        expect(lost.headers.get('x-clusterflux-version')).to.equal('2');
        expect(lost.body.equals(bodies[1]), 'a lost write brings the newest').to.equal(true);
        const read = await api('GET', `${path}/1`);
        expect(read.status).to.equal(200);
        expect(read.body.equals(bodies[1])).to.equal(true);
        expect((await api('GET', `${path}/2?wait=0s`)).status).to.equal(204);
        const names = ((await api('GET', '/clusters')).json() as { name: string }[]).map(
          (each) => each.name,
        );
        expect(names).to.include(name);
      });
    }

    it('answers a waiting read as soon as there is a newer version', async () => {
      const path = '/clusters/waiting/versions';
      const waiting = api('GET', `${path}/0?wait=20s`);
      const began = performance.now();
      await eventually(async () =>
        expect((await api('PUT', `${path}/0`, snapshotWith('x'))).status).to.equal(200),
      );
      const answer = await waiting;
      expect(answer.headers.get('x-clusterflux-version')).to.equal('1');
      expect(performance.now() - began).to.be.lessThan(10_000);
    });

    it('lists managers and nodes, and a node that fell silent as not alive until it is deregistered', async () => {
      await api('POST', '/nodes/silent', registration('silent'));
      await eventually(
        async () => {
          const { cflux, influx } = (await api('GET', '/nodes')).json() as {
            cflux: NodeBody[];
            influx: NodeBody[];
          };
          expect(cflux).to.have.lengthOf(1);
          expect(cflux[0]).to.include({ alive: true });
          const silent = influx.find(({ hostname }) => hostname === 'silent');
          expect(silent).to.include({ alive: false });
        },
        { withinMs: 10_000, everyMs: 100 },
      );
    });
  });
}
