// The agent's state directory: held by one process, with the identity and the base in it. Nothing here is ever reset by
// itself; what can't be read is refused with the way out.
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../shared/errors/app-error.js';
import { syncDirectory } from '../../shared/lifecycle/atomic-file.js';
import type { DirectoryLock } from '../../shared/lifecycle/directory-lock.js';
import { lockDirectory } from '../../shared/lifecycle/directory-lock.js';
import type { Logger } from '../../shared/log/logger.js';
import { decodeBase, decodeRecord, encodeBase, encodeRecord } from '../sync/base-codec.js';
import type { Base, BaseRecord } from '../sync/base.js';
import { NEW_BASE, reduceBase } from '../sync/base.js';
import type { Identity } from './identity.js';
import { readIdentity, withCandidate, withConfirmed, writeIdentity } from './identity.js';
import type { Journal } from './journal.js';
import { openJournal } from './journal.js';

export interface StateDirectoryOptions {
  /** `agent.state-dir`; made where it is missing. */
  readonly path: string;
  /** `agent.cluster`. */
  readonly cluster: string;
  readonly logger: Logger;
}

/** `<state-dir>/agent.sock`: how local commands reach the agent that holds the directory. */
export const SOCKET_FILE = 'agent.sock';

const IDENTITY_FILE = 'identity.json';
const BASE_NAME = 'base';
const BASE_FILES = ['json', 'log'].flatMap((end) => [`base.${end}`, `base.${end}.new`]);

/** The base of a cluster with 10,000 objects is about 4 MB; a rewrite of that size takes tens of milliseconds. */
const REWRITE_BASE_AFTER_BYTES = 4 * 1024 * 1024;

export class StateDirectory {
  private constructor(
    readonly path: string,
    private readonly lock: DirectoryLock,
    private readonly logger: Logger,
    private current: Identity,
  ) {}

  /**
   * Throws AppError `state-unwritable`, `already-running` (names the holder), `state-not-current` (damaged), and
   * `config-invalid` where the directory belongs to another cluster.
   */
  static async open({ path, cluster, logger }: StateDirectoryOptions): Promise<StateDirectory> {
    const lock = await lockDirectory(path, { what: "the agent's state directory (--state-dir)" });
    try {
      const identityPath = join(path, IDENTITY_FILE);
      const found = await readIdentity(identityPath);
      const identity = identityIn(path, cluster, found);
      if (identity !== found) await writeIdentity(identityPath, identity);
      return new StateDirectory(path, lock, logger, identity);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  get identity(): Identity {
    return this.current;
  }

  /** A new session for this start, on disk before it is returned: from then on a manager may hear of it. */
  async beginSession(): Promise<string> {
    const session = randomUUID();
    await this.replace(withCandidate(this.current, session));
    return session;
  }

  /** A manager has answered a registration with this session. */
  async confirm(session: string, nodeId: number): Promise<void> {
    if (this.current.confirmedSession === session && this.current.nodeId === nodeId) return;
    await this.replace(withConfirmed(this.current, session, nodeId));
  }

  /** The base, on disk. Throws as `openJournal`. */
  openBase(): Promise<Journal<Base, BaseRecord>> {
    return openJournal<Base, BaseRecord>({
      directory: this.path,
      name: BASE_NAME,
      // The reducer changes the map in place, so each journal needs one of its own.
      initial: { ...NEW_BASE, entries: new Map() },
      reduce: reduceBase,
      encodeState: encodeBase,
      decodeState: decodeBase,
      encodeRecord,
      decodeRecord,
      rewriteAfterBytes: REWRITE_BASE_AFTER_BYTES,
      onNotice: (message, fields) => {
        this.logger.warn(message, fields);
      },
    });
  }

  /** Lets another process have the directory. */
  close(): Promise<void> {
    return this.lock.release();
  }

  private async replace(identity: Identity): Promise<void> {
    await writeIdentity(join(this.path, IDENTITY_FILE), identity);
    this.current = identity;
  }
}

/**
 * Gives the directory a new identity and forgets the base: the agent registers as a new node and joins, which drops
 * nothing. Damaged files are no obstacle. Throws AppError `already-running` while an agent holds the directory.
 */
export async function renewStateDirectory(path: string, cluster: string): Promise<Identity> {
  const lock = await lockDirectory(path, { what: "the agent's state directory (--state-dir)" });
  try {
    // The identity goes last: a crash in between leaves the old one, and rejoining is simply done again.
    for (const file of BASE_FILES) await rm(join(path, file), { force: true });
    await syncDirectory(path);
    const identity = newIdentity(cluster);
    await writeIdentity(join(path, IDENTITY_FILE), identity);
    return identity;
  } finally {
    await lock.release();
  }
}

function identityIn(path: string, cluster: string, found: Identity | undefined): Identity {
  if (found === undefined) return newIdentity(cluster);
  if (found.cluster === cluster) return found;
  // Never registered: the name was a slip of the pen, and nothing here belongs to a cluster yet.
  if (found.nodeId === undefined && found.candidates.length === 0) return { ...found, cluster };
  throw new AppError(
    'config-invalid',
    `the state in ${path} belongs to cluster ${found.cluster}, and agent.cluster is ${cluster}; ` +
      `set it back, or run \`clusterflux agent rejoin --cluster ${cluster}\` to change the cluster of this node`,
    { details: { path, cluster: found.cluster } },
  );
}

function newIdentity(cluster: string): Identity {
  return {
    uid: randomUUID(),
    cluster,
    nodeId: undefined,
    confirmedSession: undefined,
    candidates: [],
  };
}
