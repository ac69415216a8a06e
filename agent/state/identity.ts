// Who this agent is: its uid, made once and kept, its node id and cluster, and the sessions that prove to the managers
// that this state directory is neither an old copy nor somebody else's. One small file, replaced whole.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import { writeFileAtomically } from '../../shared/lifecycle/atomic-file.js';

export interface Identity {
  readonly uid: string;
  readonly cluster: string;
  /** Undefined before the first registration. */
  readonly nodeId: number | undefined;
  /** The last session that a manager confirmed. */
  readonly confirmedSession: string | undefined;
  /**
   * Sessions that were noted, oldest first: those since the last confirmed one, which may have reached a manager, and some
   * before it, which a manager whose store was restored from a backup may still have.
   */
  readonly candidates: readonly string[];
}

/**
 * An agent that never reaches a manager adds a candidate at each start. The managers take a thousand; the oldest are
 * forgotten first, because the record can only hold one that was sent since the last confirmed one.
 */
const MAX_CANDIDATES = 1_000;

/** More restarts of an agent than lie between two backups of a store. */
const KEPT_WHEN_CONFIRMED = 100;

const FORMAT = 1;

const fileSchema = z.strictObject({
  format: z.literal(FORMAT),
  uid: z.string().min(1),
  cluster: z.string().min(1),
  'node-id': z.number().int().min(1).optional(),
  'confirmed-session': z.string().min(1).optional(),
  candidates: z.array(z.string().min(1)),
});

/** Undefined where there is no file. Throws AppError `state-not-current` for one that is damaged, `state-unwritable`. */
export async function readIdentity(path: string): Promise<Identity | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new AppError(
      'state-unwritable',
      `reading ${path} failed: ${messageOf(error)}; run the agent as the user who owns --state-dir`,
      { cause: error },
    );
  }
  return parseIdentity(path, text);
}

/** On disk when it resolves. Throws AppError `state-unwritable`. */
export function writeIdentity(path: string, identity: Identity): Promise<void> {
  const file: z.infer<typeof fileSchema> = {
    format: FORMAT,
    uid: identity.uid,
    cluster: identity.cluster,
    ...(identity.nodeId === undefined ? {} : { 'node-id': identity.nodeId }),
    ...(identity.confirmedSession === undefined
      ? {}
      : { 'confirmed-session': identity.confirmedSession }),
    candidates: [...identity.candidates],
  };
  return writeFileAtomically(path, `${JSON.stringify(file, null, 2)}\n`);
}

/** With a new session noted, which a manager may hear of from now on. */
export function withCandidate(identity: Identity, session: string): Identity {
  const candidates = [...identity.candidates, session].slice(-MAX_CANDIDATES);
  return { ...identity, candidates };
}

/**
 * After a manager has confirmed `session` for this node id. Sessions before it stay known: a record that holds one of them
 * is older than this state directory, as after a restore of the store, while an old copy of the directory knows only
 * sessions before the record's.
 */
export function withConfirmed(identity: Identity, session: string, nodeId: number): Identity {
  const candidates = identity.candidates.slice(-KEPT_WHEN_CONFIRMED);
  return { ...identity, nodeId, confirmedSession: session, candidates };
}

function parseIdentity(path: string, text: string): Identity {
  const parsed = fileSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new AppError(
      'state-not-current',
      `${path} does not say who this agent is (it is damaged, or of a newer version); run \`clusterflux agent rejoin\`, which joins the cluster anew and drops nothing`,
      { cause: parsed.error },
    );
  }
  const { uid, cluster, candidates, ...rest } = parsed.data;
  return {
    uid,
    cluster,
    nodeId: rest['node-id'],
    confirmedSession: rest['confirmed-session'],
    candidates,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema refuses it then, with the same sentence as for any other damage.
    return undefined;
  }
}
