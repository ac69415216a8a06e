// Faults of etcd as a whole: its leader changes, its quorum is lost for a while, its history is compacted.
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../eventually.js';
import { compactAll, leaderOf, moveLeader } from './etcd-care.js';
import type { Fault } from './faults.js';

/** Twice the TTL of the tests' clusters. */
const LONGER_THAN_TTL_MS = 4_000;

export const moveEtcdLeader: Fault = {
  name: 'etcd leader moved',
  run: async ({ cluster: { etcd }, workload }) => {
    const leader = await moveLeader(etcd);
    await eventually(async () => (await leaderOf(etcd)) === leader, { what: 'the lead to move' });
    await workload.untilMore(5);
  },
};

export const loseEtcdQuorum: Fault = {
  name: 'etcd without quorum',
  run: async ({ cluster: { etcd }, random }) => {
    const stays = random.below(etcd.ports.length);
    const gone = etcd.ports.map((_, member) => member).filter((member) => member !== stays);
    await Promise.all(gone.map((member) => etcd.kill9(member)));
    await delay(LONGER_THAN_TTL_MS);
    await Promise.all(gone.map((member) => etcd.restart(member)));
  },
};

export const compactEtcd: Fault = {
  name: 'etcd compacted',
  run: async ({ cluster: { etcd }, workload }) => {
    await workload.untilMore(3);
    await compactAll(etcd);
  },
};
