// Opens the store that the configuration names. An etcd that is away is no error here; a data directory that is held is.
import { readFile } from 'node:fs/promises';
import type { Config } from '../shared/config/config.js';
import { readSecret } from '../shared/config/secret-file.js';
import { AppError, messageOf } from '../shared/errors/app-error.js';
import type { Logger } from '../shared/log/logger.js';
import type { Compactable } from './maintenance/caretaker.js';
import { openEmbeddedStore } from './store/embedded/embedded-store.js';
import type { EtcdStoreOptions } from './store/etcd/etcd-store.js';
import type { Store } from './store/port.js';

export interface OpenedStore {
  readonly store: Store;
  /** What a manager takes care of in etcd; undefined where the store does it by itself. */
  readonly etcd: Compactable | undefined;
}

/** Throws AppError `already-running`, `state-unwritable`, `store-format-unknown`, `config-invalid`. */
export async function openStore(config: Config, logger: Logger): Promise<OpenedStore> {
  if (config.manager.store === 'embedded') {
    const directory = config.manager.dataDir;
    logger.info('opening the embedded store', { target: directory });
    return { store: await openEmbeddedStore({ directory, logger }), etcd: undefined };
  }
  // Loaded only where it is used: its libraries take a third of the start of a manager without etcd.
  const { EtcdStore } = await import('./store/etcd/etcd-store.js');
  const store = new EtcdStore(await etcdOptions(config.etcd, logger));
  return {
    store,
    etcd: {
      compact: (revision, signal) => store.compact(revision, signal),
      usage: (signal) => store.status(signal),
    },
  };
}

async function etcdOptions(etcd: Config['etcd'], logger: Logger): Promise<EtcdStoreOptions> {
  const { endpoints, prefix, username, passwordFile, caFile, certFile, keyFile } = etcd;
  const [ca, certificate, key] = await Promise.all([
    readPem('etcd.ca-file', caFile),
    readPem('etcd.cert-file', certFile),
    readPem('etcd.key-file', keyFile),
  ]);
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
  };
  // Files that were given are never ignored: an http endpoint beside them then fails instead of going without TLS.
  const isTls =
    Object.keys(tls).length > 0 || endpoints.some((endpoint) => endpoint.startsWith('https:'));
  return {
    endpoints,
    logger,
    probeKey: `${prefix}/probe`,
    ...(username === undefined ? {} : { username }),
    ...(passwordFile === undefined
      ? {}
      : { password: await readSecret('etcd.password-file', passwordFile) }),
    ...(isTls ? { tls } : {}),
  };
}

/** A file that a configuration key names; undefined where it names none. Throws AppError `config-invalid`. */
export async function readPem(key: string, file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (cause) {
    throw new AppError('config-invalid', `${key}: reading ${file} failed: ${messageOf(cause)}`, {
      cause,
    });
  }
}
