// The nodes of the cluster as the managers list them, kept on disk, so that a node that starts while no manager answers still
// finds its peers.
import { readFile } from 'node:fs/promises';
import { parseAddress } from '../../../shared/config/address.js';
import { isAbort } from '../../../shared/errors/app-error.js';
import type { NodeBody } from '../../../shared/api/nodes.js';
import { nodeListSchema } from '../../../shared/api/nodes.js';
import { writeFileAtomically } from '../../../shared/lifecycle/atomic-file.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Logger } from '../../../shared/log/logger.js';
import { PEER_CHANNEL } from '../../peer/peer-routes.js';
import type { PlacementApi } from '../../manager-api/placement-api.js';
import type { ClusterNode, NodeDirectory } from './port.js';

export interface NodeListDeps {
  readonly api: Pick<PlacementApi, 'nodes'>;
  /** `<state-dir>/nodes.json`. */
  readonly path: string;
  readonly uid: string;
  /** Undefined while this run is not registered. */
  readonly nodeId: () => number | undefined;
  /** False while a manager refuses this agent. */
  readonly mayAct: () => boolean;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly logger: Logger;
}

export class NodeList implements NodeDirectory {
  private nodes = new Map<number, ClusterNode>();
  private ids = new Map<string, number>();
  private saved = '';
  private readonly listeners = new Set<() => void>();
  private asking: Promise<boolean> | undefined;
  private begunMs: number | undefined;

  constructor(private readonly deps: NodeListDeps) {}

  get self(): { readonly id: number | undefined; readonly uid: string } {
    const { uid, nodeId, mayAct } = this.deps;
    // While this run is not registered, the id that it had before counts: uids keep theirs for ever.
    return { id: nodeId() ?? (mayAct() ? this.ids.get(uid) : undefined), uid };
  }

  get readBegunMs(): number | undefined {
    return this.begunMs;
  }

  node(id: number): ClusterNode | undefined {
    return this.nodes.get(id);
  }

  byUid(uid: string): ClusterNode | undefined {
    const id = this.ids.get(uid);
    return id === undefined ? undefined : this.nodes.get(id);
  }

  all(): readonly ClusterNode[] {
    return [...this.nodes.values()];
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** What was heard last, before anybody is asked. A file that can't be read is as none: the managers have it all. */
  async load(): Promise<void> {
    try {
      const text = await readFile(this.deps.path, 'utf8');
      this.take(nodeListSchema.parse(JSON.parse(text)));
      this.saved = text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.deps.logger.warn('the list of nodes on disk is not readable, asking the managers', {
        err: error,
      });
    }
  }

  /** Several that ask at the same time get the same answer. */
  refresh(signal: AbortSignal): Promise<boolean> {
    this.asking ??= this.ask(signal).finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private async ask(signal: AbortSignal): Promise<boolean> {
    try {
      const begunMs = this.deps.clock.monotonicMs();
      const list = await this.deps.api.nodes(signal);
      this.take(list);
      this.begunMs = begunMs;
      await this.save(list);
      for (const listener of [...this.listeners]) listener();
      return true;
    } catch (error) {
      if (signal.aborted && isAbort(error)) throw error;
      this.deps.logger.debug('the list of nodes was not had', { err: error });
      return false;
    }
  }

  private take(list: readonly NodeBody[]): void {
    const nodes = list.flatMap((body) => nodeOf(body) ?? []);
    this.nodes = new Map(nodes.map((node) => [node.id, node]));
    this.ids = new Map(nodes.map(({ uid, id }) => [uid, id]));
  }

  /** Only what others need after a start, and only where it changed: heartbeats change the rest all the time. */
  private async save(list: readonly NodeBody[]): Promise<void> {
    const text = JSON.stringify(list.map((body) => ({ ...body, ...UNSAVED })));
    if (text === this.saved) return;
    await writeFileAtomically(this.deps.path, text);
    this.saved = text;
  }
}

/** In a node's `versions`: the release of the peer channel that its agent speaks. */
export const PEER_VERSION = 'peer';

/** What moves with each heartbeat, as it is written: nothing is decided by it. */
const UNSAVED = {
  alive: false,
  'last-seen': '1970-01-01T00:00:00Z',
  version: 0,
  state: '',
  pending: 0,
  hints: [],
  held: null,
};

/** Nodes that plain clients registered have no agent that could be asked, those of older releases no data plane. */
function nodeOf(body: NodeBody): ClusterNode | undefined {
  const address = parseAddress(body['bind-address']);
  if (body.uid === undefined || address === undefined) return undefined;
  if (!(Number(body.versions[PEER_VERSION]) >= PEER_CHANNEL)) return undefined;
  const { id, uid, hostname, alive: isAlive, behind = [] } = body;
  return { id, uid, address, hostname, isAlive, behind };
}
