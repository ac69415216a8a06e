// The flag --wait of commands that may have to wait for somebody.
import { parseDuration } from '../../shared/config/units.js';
import { AppError } from '../../shared/errors/app-error.js';

/** In ms; 0 where the flag is absent. Throws AppError `usage`. */
export function waitOf(text: string | undefined): number {
  const waitMs = text === undefined ? 0 : parseDuration(text);
  if (waitMs === undefined)
    throw new AppError('usage', `--wait takes a duration such as 20s, got "${text ?? ''}"`);
  return waitMs;
}
