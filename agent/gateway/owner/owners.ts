// Every owner by its node id: this node's own influxd, or a peer's agent.
import type { NodeDirectory } from '../placement/port.js';
import type { LocalOwner } from './local-owner.js';
import type { ApplyOutcome, Batch, BatchSender, Reader, ReadOutcome, ReadQuery } from './port.js';

export interface OwnersDeps {
  readonly directory: Pick<NodeDirectory, 'self'>;
  readonly local: Pick<LocalOwner, 'apply' | 'read'>;
  readonly peers: BatchSender & Reader;
}

export class Owners implements BatchSender, Reader {
  constructor(private readonly deps: OwnersDeps) {}

  send(node: number, batch: Batch, signal: AbortSignal): Promise<ApplyOutcome> {
    const { local, peers } = this.deps;
    return this.isSelf(node) ? local.apply(batch, signal) : peers.send(node, batch, signal);
  }

  read(node: number, query: ReadQuery, signal: AbortSignal): Promise<ReadOutcome> {
    const { local, peers } = this.deps;
    return this.isSelf(node) ? local.read(query, signal) : peers.read(node, query, signal);
  }

  private isSelf(node: number): boolean {
    return node === this.deps.directory.self.id;
  }
}
