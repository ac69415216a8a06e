// Opens what the agent works on: its state directory with the base in it, the way to the managers, the local influxd.
// Secrets are read from their files here. Nothing is asked of anybody yet.
import { readFile } from 'node:fs/promises';
import type { Config } from '../shared/config/config.js';
import { readSecret } from '../shared/config/secret-file.js';
import { AppError, messageOf } from '../shared/errors/app-error.js';
import { systemClock } from '../shared/lifecycle/clock.js';
import type { Logger } from '../shared/log/logger.js';
import type { Followed } from '../shared/security/followed.js';
import { follow } from '../shared/security/followed.js';
import type { InfluxdAccount } from './influxd/account.js';
import type { RealInfluxControl } from './influxd/influx-control.js';
import { createInfluxControl } from './influxd/influx-control.js';
import { CredentialSource } from './manager-api/credentials.js';
import { ManagerClient } from './manager-api/manager-client.js';
import type { Journal } from './state/journal.js';
import { StateDirectory } from './state/state-directory.js';
import type { Base, BaseRecord } from './sync/base.js';

/** What is held open: the state directory with the base in it, the managers, the local influxd. */
export interface OpenPorts {
  readonly state: StateDirectory;
  readonly base: Journal<Base, BaseRecord>;
  readonly client: ManagerClient;
  readonly influxd: RealInfluxControl;
  /** The agent's account there, and the authority of its certificate. */
  readonly access: InfluxdAccess;
  /** Follows the files of influxd's account until the signal is aborted; without it what was read first stays. */
  followAccount(signal: AbortSignal): Promise<void>;
  /** Of the managers and of influxd. */
  closeConnections(): Promise<void>;
  closeState(): Promise<void>;
  close(): Promise<void>;
}

export interface InfluxdAccess extends InfluxdAccount {
  readonly url: string;
  /** PEM. */
  readonly ca: string | undefined;
}

/**
 * Opens everything that the agent, or a one-off command in its place, works on. Throws AppError `already-running`,
 * `state-unwritable`, `state-not-current`, `config-invalid`; then nothing is left open.
 */
export async function openPorts(config: Config, logger: Logger): Promise<OpenPorts> {
  const { agent } = config;
  const credentials = await CredentialSource.open({
    ...agent,
    onTrouble: (err) => {
      logger.error('files that changed are not good, going on with what was read before', { err });
    },
  });
  const { influxd, access, followAccount } = await openInfluxd(config, logger);
  const client = new ManagerClient({ endpoints: agent.endpoints, credentials });
  const closeConnections = async () => {
    client.close();
    await influxd.close();
  };
  try {
    const { stateDir: path, cluster } = agent;
    const state = await StateDirectory.open({ path, cluster, logger });
    const base = await state.openBase().catch(async (error: unknown) => {
      await state.close();
      throw error;
    });
    const closeState = async () => {
      await base.close();
      await state.close();
    };
    const close = async () => {
      await closeConnections();
      await closeState();
    };
    return {
      ...{ state, base, client, influxd, access },
      ...{ followAccount, closeConnections, closeState, close },
    };
  } catch (error) {
    await closeConnections();
    throw error;
  }
}

async function openInfluxd(
  { influxdb }: Config,
  logger: Logger,
): Promise<Pick<OpenPorts, 'influxd' | 'access' | 'followAccount'>> {
  const { passwordFile, jwtSecretFile, caFile } = influxdb;
  const password = await followSecret('influxdb.password-file', passwordFile, logger);
  const jwtSecret = await followSecret('influxdb.jwt-secret-file', jwtSecretFile, logger);
  const access: InfluxdAccess = {
    url: influxdb.url,
    username: influxdb.username,
    password: password && (() => password.current),
    jwtSecret: jwtSecret && (() => jwtSecret.current),
    ca: caFile && (await readText('influxdb.ca-file', caFile)),
  };
  const influxd = createInfluxControl({
    ...access,
    metaDir: influxdb.metaDir,
    snapshotAddress: influxdb.snapshotAddress,
  });
  const followAccount = async (signal: AbortSignal) => {
    await Promise.all([password?.run(signal), jwtSecret?.run(signal)]);
  };
  return { influxd, access, followAccount };
}

/** The first line of a file, as it is now. */
async function followSecret(
  key: string,
  path: string | undefined,
  logger: Logger,
): Promise<Followed<string> | undefined> {
  if (path === undefined) return undefined;
  const read = () => readSecret(key, path);
  return follow({ what: key, paths: [path], read, logger, clock: systemClock() });
}

async function readText(key: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new AppError('config-invalid', `${key}: reading ${path} failed: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
