// What hints must not do: bring points into a database that only bears the name of the one they were written to, bring back what
// was deleted after they were taken in, or make copies differ where one influxd has another type for a field.
import { expect } from 'chai';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';
import { runOn, SentPoints, untilDirect, untilDrained } from '../support/gateway/sent-points.js';

const ANSWER_WITHIN_MS = 10_000;

describe('while hints wait for an owner', function () {
  this.timeout(60_000);
  const cluster = useCluster({
    config: { handoff: { 'retry-interval': '50ms', 'retry-max-interval': '200ms' } },
  });
  const nodes = () => cluster().nodes as [ClusterNode, ClusterNode, ClusterNode];

  async function started(node: ClusterNode): Promise<void> {
    await node.startInfluxd();
    await node.startAgent();
  }

  async function ready(database: string): Promise<SentPoints> {
    await runOn(nodes()[0], `CREATE DATABASE ${database}`);
    const points = new SentPoints(database);
    await untilDirect(points, nodes());
    return points;
  }

  it('a database that is dropped takes them with it', async () => {
    const [first, second, third] = nodes();
    const points = await ready('dropped');
    await third.influxd.kill9();
    await points.acknowledge(first);
    await points.acknowledge(second);
    await runOn(first, 'DROP DATABASE dropped');
    await third.influxd.start();
    await untilDrained(nodes());
    await cluster().converged();
    for (const node of nodes()) {
      expect(await node.influxd.names('SHOW DATABASES')).to.not.include('dropped');
    }
  });

  it('a database that is dropped and made again never has their points, and takes new ones', async () => {
    const [first, second, third] = nodes();
    const points = await ready('again');
    await third.end();
    await points.acknowledge(first);
    await points.acknowledge(second);
    await runOn(first, 'DROP DATABASE again');
    await runOn(second, 'CREATE DATABASE again');
    points.forget();
    // Hints of the new one are behind those of the old one in the same files.
    await eventually(async () => {
      expect((await points.acknowledge(first)).hinted).to.equal(1);
    });
    await started(third);
    await cluster().converged();
    await points.untilEverywhere(nodes());
    await untilDirect(points, nodes());
  });

  it('a policy that is dropped and made again never has their points', async () => {
    const [first, , third] = nodes();
    await runOn(first, 'CREATE DATABASE renewed');
    const create = 'CREATE RETENTION POLICY other ON renewed DURATION 0s REPLICATION 1 DEFAULT';
    await runOn(first, create);
    const points = new SentPoints('renewed');
    await untilDirect(points, nodes());
    await third.end();
    await points.acknowledge(first);
    await runOn(first, 'DROP RETENTION POLICY other ON renewed');
    await runOn(first, create);
    points.forget();
    await points.acknowledge(first);
    await started(third);
    await cluster().converged();
    await points.untilEverywhere(nodes());
  });

  for (const [statement, database] of [
    ['DELETE FROM sent', 'deleted'],
    ['DROP MEASUREMENT sent', 'measureless'],
    ['DROP SERIES FROM sent WHERE s =~ /./', 'seriesless'],
  ] as const) {
    it(`${statement} is not undone by them`, async () => {
      const [first, second, third] = nodes();
      const points = await ready(database);
      await third.influxd.kill9();
      await points.acknowledge(first);
      await points.acknowledge(second);
      await runOn(first, statement, database);
      points.forget();
      await points.acknowledge(second);
      await third.influxd.start();
      await points.untilEverywhere(nodes());
      for (const node of nodes()) await points.untilRead(node);
    });
  }

  it('a DELETE while both influxd and agent of the owner are away is not undone by them', async () => {
    const [first, second, third] = nodes();
    const points = await ready('absent');
    await third.end();
    await points.acknowledge(first);
    await points.acknowledge(second);
    await runOn(first, 'DELETE FROM sent', 'absent');
    points.forget();
    await points.acknowledge(first);
    await started(third);
    await points.untilEverywhere(nodes());
    await untilDirect(points, nodes());
  });

  it('a type in conflict at one owner is told in its words, and the others have the same', async () => {
    const [first, second, third] = nodes();
    await ready('types');
    await third.influxd.write('types', 'm,s=there v="text" 1');
    const lines = 'm,s=new v=1i 1000\nn,s=new v=1i 1000';
    const { status, text } = await write(first, 'types', lines);
    expect({ status, text }).to.deep.include({ status: 400 });
    expect(text).to.include('field type conflict: input field \\"v\\" on measurement \\"m\\"');
    const valuesOn = (node: ClusterNode, measurement: string) =>
      node.influxd.names(`SELECT v FROM ${measurement} WHERE s='new'`, { db: 'types' });
    expect(await valuesOn(second, 'm')).to.deep.equal(await valuesOn(first, 'm'));
    for (const node of nodes()) expect(await valuesOn(node, 'n'), node.name).to.have.lengthOf(1);

    // It has no point of m that the others have, and is not asked for any until somebody has looked after it.
    const id = (await third.status()).node ?? 0;
    const taken = await valuesOn(first, 'm');
    await eventually(async () => {
      const { headers, status: read } = await query(third, 'types', 'SELECT v FROM m');
      expect(read).to.equal(200);
      if (taken.length > 0) expect(headers.get('x-clusterflux-served-by')).to.not.equal(`${id}`);
    });
  });

  it('a hint with a type in conflict is buried, and its owner is not read', async () => {
    const [first, second, third] = nodes();
    await ready('buried');
    await third.influxd.write('buried', 'm,s=there v="text" 1');
    await third.agent.kill9();
    expect((await write(first, 'buried', 'm,s=new v=1i 1000')).status).to.equal(204);
    await third.startAgent();
    await untilDrained(nodes());
    const id = (await third.status()).node ?? 0;
    for (const node of nodes()) {
      await eventually(
        async () => {
          const { status, headers, text } = await query(
            node,
            'buried',
            "SELECT v FROM m WHERE s='new'",
          );
          expect(status, text).to.equal(200);
          expect(headers.get('x-clusterflux-served-by')).to.not.equal(`${id}`);
          expect(text).to.include('"values":[[');
        },
        { withinMs: 10_000, everyMs: 50 },
      );
    }
    const listed = await cluster().cli('shards', 'list', '--database', 'buried', '-o', 'wide');
    expect(listed.stdout).to.match(
      /it refused points that were kept for it: .*field type conflict/,
    );
    expect(await second.influxd.names('SELECT v FROM m', { db: 'buried' })).to.have.lengthOf(1);
  });
});

async function write(node: ClusterNode, database: string, body: string) {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const answer = await fetch(`${node.gatewayUrl}/write?db=${database}`, {
    method: 'POST',
    body,
    signal,
  });
  return { status: answer.status, text: await answer.text() };
}

async function query(node: ClusterNode, db: string, q: string) {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const params = new URLSearchParams({ db, q });
  const answer = await fetch(`${node.gatewayUrl}/query?${params.toString()}`, { signal });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}
