// Tells watchers of the in-process stores what changed: in order, outside the commit, and never after `close`.
import type { Watch, WatchEvent } from '../port.js';

interface Watcher {
  readonly prefix: string;
  readonly afterRevision: number;
  readonly onEvent: (event: WatchEvent) => void;
}

export class WatchHub {
  private readonly watchers = new Set<Watcher>();

  /** Watches for changes with a revision above `afterRevision`. */
  add(watcher: Watcher): Watch {
    this.watchers.add(watcher);
    return {
      close: () => {
        this.watchers.delete(watcher);
      },
    };
  }

  /** Calls the watchers in a later microtask, so that a callback that throws or calls back in can't disturb the commit. */
  publish(events: readonly WatchEvent[]): void {
    if (events.length === 0 || this.watchers.size === 0) return;
    queueMicrotask(() => {
      for (const event of events) this.deliver(event);
    });
  }

  closeAll(): void {
    this.watchers.clear();
  }

  private deliver(event: WatchEvent): void {
    for (const watcher of [...this.watchers]) {
      if (this.watchers.has(watcher) && concerns(watcher, event)) watcher.onEvent(event);
    }
  }
}

function concerns(watcher: Watcher, event: WatchEvent): boolean {
  if (event.kind === 'reset') return true;
  const key = event.kind === 'put' ? event.entry.key : event.key;
  const revision = event.kind === 'put' ? event.entry.modRevision : event.revision;
  return revision > watcher.afterRevision && key.startsWith(watcher.prefix);
}
