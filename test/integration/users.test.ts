// Users: what statements can bring to the other nodes arrives, and what they can't (a password's hash) is shown and nothing else
// waits for it.
import { expect } from 'chai';
import { keyOf, type ObjectName } from '../../shared/meta/model.js';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';

const USERS = [0, 1, 2];

describe('users', function () {
  this.timeout(40_000);
  const cluster = useCluster();

  before(async () => {
    await cluster().nodes[0]!.influxd.query('CREATE DATABASE "base"');
    await cluster().converged();
  });

  const user = (i: number): ObjectName => ({ kind: 'user', path: [`user ${i}`] });
  const privilege = (i: number): ObjectName => ({ kind: 'privilege', path: [`user ${i}`, 'base'] });

  it('are pending where no statement can set their hash, hold up nothing, and are dropped everywhere', async () => {
    const [first, ...others] = cluster().nodes;
    await first!.influxd.query(`CREATE USER "pending" WITH PASSWORD 'secret'`);
    const isShown = async (node: ClusterNode) =>
      (await node.status()).pending.some(({ object }) => object === 'user pending');
    await Promise.all(others.map((node) => eventually(() => isShown(node))));
    await others[0]!.influxd.query('CREATE DATABASE "beside it"');
    await cluster().converged({ except: ['user'] });
    await first!.influxd.query('DROP USER "pending"');
    await cluster().converged();
    for (const node of others) expect((await node.status()).pending).to.deep.equal([]);
  });

  it('that every node has: privileges and the administrator flag arrive from each of them', async () => {
    // What the agent recommends: the same user with the same password on each node. Each has a salt of its own.
    await Promise.all(
      cluster().nodes.map(async ({ influxd }) => {
        for (const i of USERS) await influxd.query(`CREATE USER "user ${i}" WITH PASSWORD 'same'`);
      }),
    );
    await cluster().converged({ withoutHashes: true });
    await step((i) => `GRANT READ ON "base" TO "user ${i}"`, 0, privilege, { level: 1 });
    await step((i) => `GRANT ALL ON "base" TO "user ${i}"`, 1, privilege, { level: 3 });
    await step((i) => `GRANT ALL PRIVILEGES TO "user ${i}"`, 2, user, { admin: true });
    await step((i) => `REVOKE ALL ON "base" FROM "user ${i}"`, 0, privilege, undefined);
    await step((i) => `REVOKE ALL PRIVILEGES FROM "user ${i}"`, 1, user, { admin: false });
    await step((i) => `DROP USER "user ${i}"`, 2, user, undefined);
  });

  /** For user i on node i + `shift`, all at once; then every node has what it leaves. */
  async function step(
    statement: (i: number) => string,
    shift: number,
    object: (i: number) => ObjectName,
    leaves: object | undefined,
  ): Promise<void> {
    const { nodes } = cluster();
    await Promise.all(
      USERS.map((i) => nodes[(i + shift) % nodes.length]!.influxd.query(statement(i))),
    );
    await cluster().converged({ withoutHashes: true });
    for (const node of nodes) {
      const schema = await node.schema();
      for (const i of USERS) {
        const found = schema.get(keyOf(object(i)))?.value;
        const what = `user ${i} on ${node.name} after ${statement(i)}`;
        if (leaves === undefined) expect(found, what).to.equal(undefined);
        else expect(found, what).to.deep.include(leaves);
      }
    }
  }
});
