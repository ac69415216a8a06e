// What a caller may run and write, statement by statement, with influxd's rules and, where it refuses, its words. Refusals are 403.
import type { RequiredPrivilege, Statement } from '../../../shared/influx/influxql/statement.js';
import type { Authentication, GatewayCaller } from './port.js';
import { printedStatement } from './statement-text.js';

/** Who got as far as to be asked what he wants. */
export type Admitted = Extract<Authentication, { kind: 'accepted' | 'bootstrap' }>;

/**
 * Why these statements may not be run, as influxd's error text; undefined: they may. All are judged before the first is run.
 * @param database of the request; '' where it names none.
 * @param hasUsers whether the cluster has any user: without, the first statement has to make an admin.
 */
export function authorize(
  statements: readonly Statement[],
  { kind, caller }: Admitted,
  options: { readonly database: string; readonly hasUsers: boolean },
): string | undefined {
  const why =
    kind === 'bootstrap'
      ? whyNotFirst(statements, options.hasUsers)
      : whyNotAllowed(statements, caller, options.database);
  return why === undefined ? undefined : `error authorizing query: ${why}`;
}

/** Why no points may be written to this database, which exists; undefined: they may. */
export function authorizeWrite({ kind, caller }: Admitted, database: string): string | undefined {
  if (kind === 'bootstrap') {
    return `user is required to write to database ${quoted(database)}`;
  }
  if (caller.mayWrite(database)) return undefined;
  return `${quoted(caller.user ?? '')} user is not authorized to write to database ${quoted(database)}`;
}

/** Whether SHOW DATABASES, which everybody may run, names this one to him. */
export function mayList(caller: GatewayCaller, database: string): boolean {
  return caller.mayRead(database) || caller.mayWrite(database);
}

function whyNotFirst(statements: readonly Statement[], hasUsers: boolean): string | undefined {
  // influxd locks itself up where the last admin became a user like others: so does a cluster.
  if (hasUsers) return 'no user provided';
  const [first] = statements;
  if (first?.kind === 'user' && first.what === 'create' && first.isAdmin) return undefined;
  return 'create admin user first or disable authentication';
}

function whyNotAllowed(
  statements: readonly Statement[],
  caller: GatewayCaller,
  database: string,
): string | undefined {
  if (caller.isAdmin) return undefined;
  for (const statement of statements) {
    const lacks = statement.privileges
      .map((privilege) => whyLacking(privilege, caller, database))
      .find((why) => why !== undefined);
    if (lacks !== undefined) {
      return `${caller.user ?? ''} not authorized to execute statement '${printedStatement(statement.text)}', requires ${lacks}`;
    }
  }
  return undefined;
}

function whyLacking(
  { isAdmin, database: named, level }: RequiredPrivilege,
  caller: GatewayCaller,
  fallback: string,
): string | undefined {
  if (isAdmin) return 'admin privilege';
  const database = named === '' ? fallback : named;
  switch (level) {
    case 'none':
      return undefined;
    case 'READ':
      return caller.mayRead(database) ? undefined : `READ on ${database}`;
    case 'WRITE':
      return caller.mayWrite(database) ? undefined : `WRITE on ${database}`;
    case 'ALL': {
      const has = caller.mayRead(database) && caller.mayWrite(database);
      return has ? undefined : `ALL PRIVILEGES on ${database}`;
    }
  }
}

/** Go's %q, as far as names of users and databases go: quotes and backslashes escaped. */
function quoted(name: string): string {
  return JSON.stringify(name);
}
