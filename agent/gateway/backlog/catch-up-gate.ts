// The gate before direct writes: closed after a start, after influxd was away, and when peers turn out to hold hints for this
// node, until each has delivered what it held when it heard of that. Hints pass always; a write that finds it closed becomes one.
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { NodeDirectory } from '../placement/port.js';
import type { PeerWords } from './peer-words.js';

export interface CatchUpGateDeps {
  readonly words: Pick<
    PeerWords,
    'holdingOf' | 'holdsForMs' | 'drainedEpoch' | 'isGone' | 'isFlagged'
  >;
  readonly directory: Pick<NodeDirectory, 'self' | 'all'>;
  /** `handoff.catch-up-timeout`: it opens then, whatever is still held. */
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly logger: Logger;
}

/**
 * A hint that was made because an owner took longer than `handoff.hint-after` is gone when the owner has answered after all.
 * Only what is still held then says that this node was away for somebody.
 */
const LASTING_MS = 1_000;

export class CatchUpGate {
  private number = 1;
  private closedSinceMs: number;
  private isClosed = true;
  /** Peers whose holding has closed it already, until they hold none. */
  private readonly counted = new Set<string>();

  constructor(private readonly deps: CatchUpGateDeps) {
    this.closedSinceMs = deps.clock.monotonicMs();
  }

  /** Of the last closing; told to peers, which say when they have delivered what they held before. */
  get epoch(): number {
    this.look();
    return this.number;
  }

  get isOpen(): boolean {
    this.look();
    return !this.isClosed;
  }

  /** influxd did not answer: what others write meanwhile becomes hints. */
  noteInfluxdAway(): void {
    if (!this.isClosed) this.close('the local influxd was away');
  }

  private look(): void {
    const peers = this.deps.directory
      .all()
      .filter(({ uid }) => uid !== this.deps.directory.self.uid);
    for (const { uid, id } of peers) {
      const heldForMs = this.deps.words.holdsForMs(uid);
      if (heldForMs === undefined) this.counted.delete(uid);
      else if (heldForMs >= LASTING_MS && !this.counted.has(uid)) {
        this.counted.add(uid);
        if (!this.isClosed) this.close(`node ${id} holds hints for this node`);
      }
    }
    if (this.isClosed) this.openWhere(peers.map(({ uid }) => uid));
  }

  private close(reason: string): void {
    this.isClosed = true;
    this.number += 1;
    this.closedSinceMs = this.deps.clock.monotonicMs();
    this.deps.logger.info('direct writes wait for hints', { reason });
  }

  private openWhere(uids: readonly string[]): void {
    const closedForMs = this.deps.clock.monotonicMs() - this.closedSinceMs;
    const isOver = closedForMs >= this.deps.timeoutMs;
    const isDrained = uids.every((uid) => this.isDrained(uid));
    if (!isOver && !isDrained) return;
    this.isClosed = false;
    const fields = { durationMs: Math.round(closedForMs) };
    if (isDrained) this.deps.logger.info('direct writes are taken', fields);
    else this.deps.logger.warn('direct writes are taken though hints are still held', fields);
  }

  private isDrained(uid: string): boolean {
    const { words } = this.deps;
    if (words.drainedEpoch(uid) >= this.number) return true;
    return words.isGone(uid) && !words.isFlagged(uid) && words.holdingOf(uid).kind === 'none';
  }
}
