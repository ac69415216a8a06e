// etcd asks for a user and password, and the tokens that it gives for them run out or become old while managers run; it also
// begins and ends to ask while they run.
import { expect } from 'chai';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { removeAtExit } from '../support/at-exit.js';
import {
  addUsers,
  disableAuth,
  enableAuth,
  ETCD_USER,
  forgetTokens,
} from '../support/fault/etcd-care.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

/** The shortest that etcd takes is a second. */
const TOKEN_TTL_S = 2;

describe('etcd asks who calls', function () {
  this.timeout(120_000);
  const faults = useFaultCluster({
    nodes: 2,
    etcdMembers: 1,
    etcdFlags: [`--auth-token-ttl=${TOKEN_TTL_S}`],
    config: { etcd: { username: ETCD_USER.username, 'password-file': passwordFile() } },
  });

  it('from one moment on: managers that have a password go on, also when their tokens run out', async () => {
    const { cluster, workload } = faults();
    await addUsers(cluster.etcd, '/clusterflux'); // the managers had a password all the while, and nobody asked for it
    await faults().during(
      async () => {
        await enableAuth(cluster.etcd);
        await workload.untilMore(10);
        // Idle managers do not renew a token by using it.
        await workload.stop();
        await delay(TOKEN_TTL_S * 2_000);
        workload.start();
        await workload.untilMore(10);
        await disableAuth(cluster.etcd);
      },
      { fault: 'etcd tokens expired' },
    );
  });

  it('and their password is set anew, which throws away all tokens: the managers get new ones', async () => {
    const { cluster, workload } = faults();
    await faults().during(
      async () => {
        await enableAuth(cluster.etcd);
        for (let round = 0; round < 3; round += 1) {
          await workload.untilMore(5);
          await forgetTokens(cluster.etcd);
        }
        await workload.untilMore(10);
        await disableAuth(cluster.etcd);
      },
      { fault: 'etcd tokens old' },
    );
  });

  it('and is started again, which forgets all tokens: the managers get new ones', async () => {
    const { cluster, workload } = faults();
    await faults().during(
      async () => {
        await enableAuth(cluster.etcd);
        await workload.untilMore(5);
        await cluster.etcd.restart();
        await workload.untilMore(10);
        const answers = await Promise.all(
          cluster.managers.map(({ url }) => fetch(`${url}/clusters`)),
        );
        expect(answers.map(({ status }) => status)).to.deep.equal([200, 200]);
        await disableAuth(cluster.etcd);
      },
      { fault: 'etcd tokens forgotten' },
    );
  });
});

/** Written before any cluster is: its configuration names it. */
function passwordFile(): string {
  const dir = mkdtempSync(join(tmpdir(), 'clusterflux-etcd-'));
  removeAtExit(dir);
  const file = join(dir, 'password');
  writeFileSync(file, `${ETCD_USER.password}\n`, { mode: 0o600 });
  return file;
}
