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
    return waiting(error.message);
  }
  return reconciler.tick(mode, signal);
}

function waiting(sentence: string): TickReport {
  return {
    outcome: 'waiting',
    sentence,
    version: 0,
    inStep: false,
    pending: [],
    held: [],
    steps: [],
  };
}
