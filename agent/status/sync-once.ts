// One reconciliation that a command on this machine asked for, by the running agent and with the newest version.
import { isAppError } from '../../shared/errors/app-error.js';
import type { Reconciler, TickMode, TickReport } from '../sync/port.js';
import type { RemoteView } from '../sync/remote-view.js';

export interface SyncOnce {
  readonly mode: TickMode;
  readonly reconciler: Reconciler;
  readonly remoteView: RemoteView;
  readonly signal: AbortSignal;
}

/** Managers that are away, and a request for an offline write, end in the report. */
export async function syncOnce({
  mode,
  reconciler,
  remoteView,
  signal,
}: SyncOnce): Promise<TickReport> {
  if (mode.offline) {
    return ended(
      'blocked',
      'an agent runs here, and meta.db is written only beside a stopped one: stop the agent, then influxd, and try again',
    );
  }
  try {
    await remoteView.refresh(signal);
  } catch (error) {
    if (!isAppError(error, 'manager-unreachable', 'manager-invalid')) throw error;
    return ended('waiting', error.message);
  }
  return reconciler.tick(mode, signal);
}

function ended(outcome: 'waiting' | 'blocked', sentence: string): TickReport {
  return { outcome, sentence, version: 0, inStep: false, pending: [], held: [], steps: [] };
}
