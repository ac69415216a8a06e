// What the agent leaves in its state directory before it stops influxd: whoever comes after it, should it be killed in
// between, knows that influxd is to be started.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import { syncDirectory, writeFileAtomically } from '../../shared/lifecycle/atomic-file.js';
import { errorCode } from '../influxd/meta-file.js';

/** `<state-dir>/restart.json`. */
const NOTE_FILE = 'restart.json';

export interface RestartNote {
  /** On disk when it resolves. Throws AppError `state-unwritable`. */
  write(): Promise<void>;
  /** Throws AppError `state-unwritable`. */
  remove(): Promise<void>;
  /** True where influxd was stopped and nobody saw it answer since. Throws AppError `state-unwritable`. */
  isThere(): Promise<boolean>;
}

export function openRestartNote(stateDir: string): RestartNote {
  const path = join(stateDir, NOTE_FILE);
  return {
    write: () =>
      writeFileAtomically(path, `${JSON.stringify({ format: 1, stopped: 'influxd' })}\n`),
    async remove() {
      try {
        await rm(path, { force: true });
        await syncDirectory(stateDir);
      } catch (error) {
        throw unusable('removing', error);
      }
    },
    async isThere() {
      try {
        // Its being there is all that it says: also a damaged one means that influxd may have been stopped.
        await readFile(path);
        return true;
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return false;
        throw unusable('reading', error);
      }
    },
  };

  function unusable(doing: string, error: unknown): AppError {
    return new AppError(
      'state-unwritable',
      `${doing} ${path} failed: ${messageOf(error)}; check the directory's owner, permissions and free space`,
      { cause: error },
    );
  }
}
