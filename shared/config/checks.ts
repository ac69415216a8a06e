// What no single key can tell: pairs that belong together, and who may listen where.
import { AppError } from '../errors/app-error.js';
import { formatAddress, isLoopback, type Address } from './address.js';
import type { Config } from './config.js';

/** @throws AppError `config-invalid` for the first rule that is broken. */
export function checkAcrossKeys(config: Config): void {
  for (const section of ['manager', 'etcd', 'agent', 'gateway'] as const) {
    const { certFile, keyFile } = config[section];
    bothOrNone(`${section}.cert-file`, certFile, `${section}.key-file`, keyFile);
  }
  if (config.manager.clientCaFile !== undefined && config.manager.certFile === undefined) {
    refuse('manager.client-ca-file is set without manager.cert-file; set both, or neither');
  }
  checkInfluxdbAccount(config.influxdb);
  bothOrNone('etcd.username', config.etcd.username, 'etcd.password-file', config.etcd.passwordFile);

  const { restart, stopCommand, startCommand } = config.influxdb;
  if (restart === 'command' && (stopCommand === undefined || startCommand === undefined)) {
    refuse(
      'influxdb.restart is "command", which needs influxdb.stop-command and influxdb.start-command',
    );
  }
  const { retryIntervalMs, retryMaxIntervalMs } = config.handoff;
  if (retryIntervalMs > retryMaxIntervalMs) {
    refuse(
      'handoff.retry-interval is longer than handoff.retry-max-interval; make it the shorter one',
    );
  }
}

/**
 * Who may connect from other machines must be asked for: by tokens or certificates of the clients, or, meant so, not at all.
 * @param key the key of the address, e.g. `manager.bind-address`.
 * @param isAllowed what `mayListenWide` says.
 * @throws AppError `config-invalid`
 */
export function assertMayListen(
  key: 'manager.bind-address' | 'agent.bind-address',
  address: Address,
  isAllowed: boolean,
): void {
  if (isAllowed || isLoopback(address.host)) return;
  const section = key.split('.')[0] ?? '';
  const tls =
    section === 'manager'
      ? ', ask for tokens (manager.token-file) or certificates (manager.client-ca-file)'
      : ', give the agents a common secret (agent.secret-file) or certificates (agent.cert-file, agent.key-file and agent.ca-file)';
  refuse(
    `${key} is ${formatAddress(address)}, which other machines can reach, and nothing would ask them who they are; ` +
      `listen on 127.0.0.1${tls}, or set ${section}.insecure = true where the network itself keeps strangers out`,
  );
}

/** A name with a password, or a name with the secret that makes tokens for it. */
function checkInfluxdbAccount({ username, passwordFile, jwtSecretFile }: Config['influxdb']): void {
  if (jwtSecretFile === undefined) {
    bothOrNone('influxdb.username', username, 'influxdb.password-file', passwordFile);
    return;
  }
  bothOrNone('influxdb.jwt-secret-file', jwtSecretFile, 'influxdb.username', username);
  if (passwordFile !== undefined) {
    refuse(
      'influxdb.password-file and influxdb.jwt-secret-file are both set; the account needs one of them',
    );
  }
}

/** Whether a manager may listen on addresses that other machines can reach. Never asked of an agent: its tokens are its own. */
export function mayListenWide(manager: {
  readonly insecure: boolean;
  readonly certFile?: string | undefined;
  readonly clientCaFile?: string | undefined;
  readonly tokenFile?: string | undefined;
}): boolean {
  const { insecure, certFile, clientCaFile, tokenFile } = manager;
  return (
    insecure || tokenFile !== undefined || (certFile !== undefined && clientCaFile !== undefined)
  );
}

/** Whether an agent may: its peers then prove the cluster's secret, or show a certificate of the authority. */
export function agentMayListenWide(agent: {
  readonly insecure: boolean;
  readonly secretFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly caFile?: string | undefined;
}): boolean {
  const { insecure, secretFile, certFile, caFile } = agent;
  return insecure || secretFile !== undefined || (certFile !== undefined && caFile !== undefined);
}

function bothOrNone(a: string, aValue: unknown, b: string, bValue: unknown): void {
  if ((aValue === undefined) === (bValue === undefined)) return;
  const [there, missing] = aValue === undefined ? [b, a] : [a, b];
  refuse(`${there} is set without ${missing}; set both or none`);
}

function refuse(message: string): never {
  throw new AppError('config-invalid', message);
}
