// What people do to an etcd, done by its own HTTP gateway: moving its leader, compacting, filling it up and making room again,
// asking for passwords.
import type { Etcd } from '../etcd.js';
import { ask, encode } from './etcd-keys.js';

interface MemberStatus {
  readonly header: { readonly member_id: string };
  readonly leader: string;
}

/** Of the first member that runs. */
function urlOf(etcd: Etcd): string {
  const url = etcd.endpoints.find((_, member) => etcd.pids[member] !== undefined);
  if (url === undefined) throw new Error('no member of etcd runs');
  return url;
}

/** The member that leads now, counted from 0; -1 while there is none. */
export async function leaderOf(etcd: Etcd): Promise<number> {
  const statuses = await statusesOf(etcd);
  return statuses.findIndex(
    (status) => status !== undefined && status.header.member_id === status.leader,
  );
}

/** Gives the lead to the member after the present leader, and resolves to it, counted from 0. */
export async function moveLeader(etcd: Etcd): Promise<number> {
  const from = await leaderOf(etcd);
  const statuses = await statusesOf(etcd);
  const to = (from + 1) % statuses.length;
  // Only the leader itself takes this call.
  await ask(etcd.endpoints[from] ?? '', 'maintenance/transfer-leadership', {
    targetID: statuses[to]?.header.member_id,
  });
  return to;
}

/** The newest one, by a linearizable read. */
export async function revisionOf(etcd: Etcd): Promise<number> {
  const answer = await ask(urlOf(etcd), 'kv/range', { key: encode('/nothing') });
  return Number((answer as { header: { revision: string } }).header.revision);
}

/** Forgets everything before the newest revision. */
export async function compactAll(etcd: Etcd): Promise<void> {
  const revision = await revisionOf(etcd);
  await ask(urlOf(etcd), 'kv/compaction', { revision, physical: true }).catch((error: unknown) => {
    // Nothing was written since the last time.
    if (!String(error).includes('required revision has been compacted')) throw error;
  });
}

const BALLAST = '/ballast/';
const BALLAST_BYTES = 1024 * 1024;

/** Puts ballast beside our keys until etcd takes no more, and so raises its alarm. `limit`: of puts, so that it ends. */
export async function fillUp(etcd: Etcd, limit: number): Promise<void> {
  const value = encode('x'.repeat(BALLAST_BYTES));
  for (let put = 0; put < limit; put += 1) {
    try {
      await ask(urlOf(etcd), 'kv/put', { key: encode(`${BALLAST}${put}`), value });
    } catch (error) {
      if (String(error).includes('database space exceeded')) return;
      throw error;
    }
  }
  throw new Error(`etcd took ${limit} MiB and is not full; is its quota smaller than that?`);
}

/** What a person does when the alarm is there: removes, compacts, defragments, disarms. */
export async function makeRoom(etcd: Etcd): Promise<void> {
  const range = { key: encode(BALLAST), range_end: encode('/ballast0') };
  await ask(urlOf(etcd), 'kv/deleterange', range);
  await compactAll(etcd);
  for (const url of etcd.endpoints) await ask(url, 'maintenance/defragment', {});
  // Each member has an alarm of its own.
  const raised = await ask(urlOf(etcd), 'maintenance/alarm', { action: 'GET' });
  for (const { memberID } of (raised as { alarms?: { memberID: string }[] }).alarms ?? []) {
    const alarm = { action: 'DEACTIVATE', memberID, alarm: 'NOSPACE' };
    await ask(urlOf(etcd), 'maintenance/alarm', alarm);
  }
}

export const ETCD_USER = { username: 'clusterflux', password: 'fault-etcd-password' } as const;
const ROOT = { name: 'root', password: 'fault-root-password' };

/** A user for the managers, who may touch their prefix alone, and root; etcd asks nobody yet. */
export async function addUsers(etcd: Etcd, prefix: string): Promise<void> {
  const url = urlOf(etcd);
  const { username: name, password } = ETCD_USER;
  const perm = {
    permType: 'READWRITE',
    key: encode(`${prefix}/`),
    range_end: encode(`${prefix}0`),
  };
  await ask(url, 'auth/user/add', ROOT);
  await ask(url, 'auth/role/add', { name: 'root' });
  await ask(url, 'auth/user/grant', { user: 'root', role: 'root' });
  await ask(url, 'auth/user/add', { name, password });
  await ask(url, 'auth/role/add', { name });
  await ask(url, 'auth/role/grant', { name, perm });
  await ask(url, 'auth/user/grant', { user: name, role: name });
}

export async function enableAuth(etcd: Etcd): Promise<void> {
  await ask(urlOf(etcd), 'auth/enable', {});
}

export async function disableAuth(etcd: Etcd): Promise<void> {
  await ask(urlOf(etcd), 'auth/disable', {}, await rootToken(etcd));
}

/** Sets the managers' password to what it was: etcd throws away all tokens that it gave for the one before. */
export async function forgetTokens(etcd: Etcd): Promise<void> {
  const { username: name, password } = ETCD_USER;
  await ask(urlOf(etcd), 'auth/user/changepw', { name, password }, await rootToken(etcd));
}

async function rootToken(etcd: Etcd): Promise<string> {
  const answer = await ask(urlOf(etcd), 'auth/authenticate', ROOT);
  return (answer as { token: string }).token;
}

/** Undefined for a member that does not run. */
async function statusesOf(etcd: Etcd): Promise<(MemberStatus | undefined)[]> {
  const asked = etcd.endpoints.map(async (url, member) =>
    etcd.pids[member] === undefined ? undefined : await ask(url, 'maintenance/status', {}),
  );
  return (await Promise.all(asked)) as (MemberStatus | undefined)[];
}
