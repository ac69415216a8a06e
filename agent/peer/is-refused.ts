// Tells the one failure that proves that no process listens at an address from all the others.

/** True where the connection was refused, also somewhere in the causes, and by every address of a name. */
export function isRefusedConnection(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof AggregateError) return each.errors.every(isRefusedConnection);
    if ((each as NodeJS.ErrnoException).code === 'ECONNREFUSED') return true;
  }
  return false;
}
