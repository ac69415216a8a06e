// Tells the failures that prove that the agent which was meant does not listen at its address from all the others.
import { isAppError } from '../../shared/errors/app-error.js';

/**
 * True where the connection was refused, also somewhere in the causes, and by every address of a name; and where another node
 * answered there and proved who it is, as after `agent rejoin`: one process listens at one address.
 */
export function isRefusedConnection(error: unknown): boolean {
  if (isAppError(error, 'peer-mismatch')) return true;
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof AggregateError) return each.errors.every(isRefusedConnection);
    if ((each as NodeJS.ErrnoException).code === 'ECONNREFUSED') return true;
  }
  return false;
}
