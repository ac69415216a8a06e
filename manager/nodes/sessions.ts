// Whether a session is the one that a node was last registered with. Asked with every write of an agent, so the answer is
// remembered for as long as the registry's revision stays the same: as a rule no store read is made.
import type { ClusterView } from '../metadata/cluster-views.js';
import type { Store } from '../store/port.js';
import { decodeRecord } from '../store/records.js';
import { nodeRecord, uidRecord } from './records.js';

/** A node by its id, or by its agent's uid. */
export type NodeName = { readonly id: number } | { readonly uid: string };

/** Sessions that are remembered, over all clusters; some hundred bytes each. Beyond, all are forgotten and read anew. */
const MAX_REMEMBERED = 20_000;

interface Remembered {
  /** Of the registry when it was read. */
  readonly revision: number;
  readonly session: string | undefined;
}

export class Sessions {
  private readonly remembered = new Map<string, Remembered>();

  constructor(private readonly store: Store) {}

  /** False also where there is no such node, or one that was registered without a session. */
  async isCurrent(
    view: ClusterView,
    node: NodeName,
    session: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const key = JSON.stringify([view.name, node]);
    const revision = (await view.registry.recent()) ?? 0;
    const known = this.remembered.get(key);
    if (known?.revision === revision && known.session === session) return true;
    // The watch may be a moment behind: a refusal is never given on its word.
    const current = await this.read(view, node, signal);
    if (this.remembered.size >= MAX_REMEMBERED) this.remembered.clear();
    this.remembered.set(key, { revision, session: current });
    return current === session;
  }

  private async read(
    { keys }: ClusterView,
    node: NodeName,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const id = 'id' in node ? node.id : await this.idOf(keys.uid(node.uid), signal);
    if (id === undefined) return undefined;
    const entry = await this.store.get(keys.node(id), { signal });
    return entry === undefined ? undefined : decodeRecord(entry, nodeRecord).session;
  }

  private async idOf(uidKey: string, signal: AbortSignal): Promise<number | undefined> {
    const entry = await this.store.get(uidKey, { signal });
    return entry === undefined ? undefined : decodeRecord(entry, uidRecord).id;
  }
}
