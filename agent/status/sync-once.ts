// One reconciliation that a command on this machine asked for, by the running agent and with the newest version.
import { isAppError } from '../../shared/errors/app-error.js';
import type { Reconciler, TickMode, TickReport } from '../sync/port.js';
import type { RemoteView } from '../sync/remote-view.js';
import { makeReport } from '../sync/report.js';

export interface SyncOnce {
  readonly mode: TickMode;
  readonly reconciler: Reconciler;
  readonly remoteView: RemoteView;
  readonly signal: AbortSignal;
}

/** Managers that are away end in the report. */
export async function syncOnce({
  mode,
  reconciler,
  remoteView,
  signal,
}: SyncOnce): Promise<TickReport> {
  try {
    await remoteView.refresh(signal);
  } catch (error) {
    if (!isAppError(error, 'manager-unreachable', 'manager-invalid')) throw error;
    return makeReport({ outcome: 'waiting', sentence: error.message, version: 0 });
  }
  return reconciler.tick(mode, signal);
}
