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
  bothOrNone(
    'influxdb.username',
    config.influxdb.username,
    'influxdb.password-file',
    config.influxdb.passwordFile,
  );
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
 * Who may connect from other machines must be asked for. Tokens and the cluster's secret are not checked by this release,
 * so they do not open a port: certificates of the clients do, and `insecure`.
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
    section === 'manager' ? ', ask clients for certificates (manager.client-ca-file)' : '';
  refuse(
    `${key} is ${formatAddress(address)}, which other machines can reach, and nothing would ask them who they are; ` +
      `listen on 127.0.0.1${tls}, or set ${section}.insecure = true where the network itself keeps strangers out`,
  );
}

/** Whether a manager (or, without certificates, an agent) may listen on addresses that other machines can reach. */
export function mayListenWide(config: {
  readonly insecure: boolean;
  readonly certFile?: string | undefined;
  readonly clientCaFile?: string | undefined;
}): boolean {
  return config.insecure || (config.certFile !== undefined && config.clientCaFile !== undefined);
}

function bothOrNone(a: string, aValue: unknown, b: string, bValue: unknown): void {
  if ((aValue === undefined) === (bValue === undefined)) return;
  const [there, missing] = aValue === undefined ? [b, a] : [a, b];
  refuse(`${there} is set without ${missing}; set both or none`);
}

function refuse(message: string): never {
  throw new AppError('config-invalid', message);
}
