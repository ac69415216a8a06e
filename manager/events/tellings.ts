// The words of the events that the manager itself tells. Pure, but for the version's, which reads what changed.
import type { ApprovalOrder, HeldList } from '../../shared/api/orders.js';
import type { VersionTag } from '../../shared/api/version-tag.js';
import type { Forked } from '../metadata/lineage.js';
import { historyRecord } from '../metadata/records.js';
import type { RolledBack } from '../metadata/rollback.js';
import type { NodeRecord } from '../nodes/records.js';
import type { ClusterKeys } from '../store/keys.js';
import type { Store } from '../store/port.js';
import { decodeRecord } from '../store/records.js';
import type { NewEvent } from './event-log.js';
import type { Told } from './outbox.js';

/** So many changes are named in a text and kept with the event; the history has all. */
const NAMED_CHANGES = 5;
const KEPT_CHANGES = 50;

type NamedNode = Pick<NodeRecord, 'id' | 'hostname' | 'bindAddress'>;

export function nodeRegistered(node: NamedNode): NewEvent {
  const text = `node ${node.id} (${node.hostname}) was registered`;
  return { node: node.id, kind: 'node-registered', text, after: shownNode(node) };
}

/** @param how what it did: `registered again`, `sends heartbeats again` */
export function nodeReturned(id: number, how: string): NewEvent {
  return { node: id, kind: 'node-returned', text: `node ${id} is back: it ${how}` };
}

export function nodeDeregistered(id: number, by: string): NewEvent {
  return { node: id, kind: 'node-deregistered', text: `node ${id} was deregistered by ${by}` };
}

/** @param life which coming to life it was that ended: the same for all managers that saw it end */
export function nodeLost(
  node: NamedNode,
  { life, ttlSeconds }: { readonly life: number; readonly ttlSeconds: number },
): NewEvent {
  return {
    node: node.id,
    kind: 'node-lost',
    text: `node ${node.id} (${node.hostname}) has sent no heartbeat for ${ttlSeconds} s`,
    before: shownNode(node),
    key: `node-lost ${node.id} ${life}`,
  };
}

/** An accepted version, with its changes as the history has them. */
export function versionAccepted(store: Store, keys: ClusterKeys, tag: VersionTag): Told {
  return async (signal) => {
    const entry = await store.get(keys.historyOf(tag.version), { signal });
    const kept = entry === undefined ? undefined : decodeRecord(entry, historyRecord);
    const known = kept?.digest === tag.digest ? kept : undefined;
    const changes = known?.changes ?? [];
    const { node, user } = known?.author ?? {};
    const by = node === undefined ? (user ?? '') : `node ${node}`;
    const omitted = known?.changesOmitted ?? 0;
    return {
      node: node ?? null,
      kind: 'version',
      text: `version ${tag.version}${by === '' ? '' : ` by ${by}`}: ${inWords(changes, omitted)}`,
      before: tag.version === 1 ? null : { version: tag.version - 1 },
      after: { ...tag, changes: changes.slice(0, KEPT_CHANGES) },
      key: `version ${tag.incarnation} ${tag.version}`,
    };
  };
}

/** The store went back in time, so the cluster has a new incarnation. */
export function clusterForked({ before, known, incarnation }: Forked): NewEvent {
  return {
    node: null,
    kind: 'forked',
    text: `the store went back in time (version ${known.version} was known, it has ${before.version}): the cluster has a new incarnation, every node joins anew and nothing is dropped`,
    before,
    after: { incarnation, version: before.version, known },
    key: `forked ${incarnation}`,
  };
}

export function rolledBack({ from, to, version, author }: RolledBack): NewEvent {
  const by = author.user === undefined ? '' : ` by ${author.user}`;
  return {
    node: author.node ?? null,
    kind: 'rollback',
    text: `version ${version}${by}: rolled back from version ${from} to the content of version ${to}`,
    before: { version: from },
    after: { version, 'content-of': to },
  };
}

interface PauseTelling {
  /** null: the whole cluster. */
  readonly node: number | null;
  readonly by: string;
  readonly reason: string;
}

export function paused({ node, by, reason }: PauseTelling): NewEvent {
  const text = `${whole(node)} was paused by ${by}${because(reason)}`;
  return { node, kind: 'paused', text, after: { by, reason } };
}

export function resumed({ node, by, reason }: PauseTelling): NewEvent {
  const text = `${whole(node)} was resumed by ${by}${because(reason)}`;
  return { node, kind: 'resumed', text, after: { by, reason } };
}

export function holdDecided(
  id: number,
  { digest, decision }: ApprovalOrder,
  { held, by }: { readonly held: HeldList; readonly by: string },
): NewEvent {
  const objects = held.items.map(({ object }) => object);
  const text = `what node ${id} holds was decided by ${by}, ${decision}: ${inWords(objects, held.count - objects.length)}`;
  const after = { digest, decision, by, objects: objects.slice(0, KEPT_CHANGES) };
  return { node: id, kind: 'hold-decided', text, before: { count: held.count }, after };
}

function inWords(texts: readonly string[], omitted: number): string {
  const named = texts.slice(0, NAMED_CHANGES);
  const more = texts.length - named.length + omitted;
  if (named.length === 0) return more === 0 ? 'nothing changed' : `${more} changes`;
  return named.join('; ') + (more > 0 ? `; and ${more} more` : '');
}

function shownNode({ hostname, bindAddress }: NamedNode): object {
  return { hostname, 'bind-address': bindAddress };
}

function whole(node: number | null): string {
  return node === null ? 'the cluster' : `node ${node}`;
}

function because(reason: string): string {
  return reason === '' ? '' : `: ${reason}`;
}
