// Whether a caller may run statements, as influxd judges it: all of them are looked at before the first is run.
import type { RequiredPrivilege, Statement } from '../../../shared/influx/influxql/statement.js';
import type { GatewayCaller } from '../auth/port.js';
import { printed } from './statement-text.js';

/** What influxd says while nobody is an admin yet. */
const NO_ADMIN = 'create admin user first or disable authentication';

/** influxd's refusal; undefined: it may run them. */
export function whyForbidden(
  statements: readonly Statement[],
  database: string,
  caller: GatewayCaller,
): string | undefined {
  if (caller.isAdmin) return undefined;
  if (caller.user === undefined) return refusal('no user provided');
  for (const statement of statements) {
    for (const privilege of statement.privileges) {
      const lacking = lackOf(privilege, database, caller);
      if (lacking === undefined) continue;
      const text = printed(statement.text);
      return refusal(
        `${caller.user} not authorized to execute statement '${text}', requires ${lacking}`,
      );
    }
  }
  return undefined;
}

/** Before there is an admin only one can be made. */
export function whyForbiddenAtFirst(statements: readonly Statement[]): string | undefined {
  const [first] = statements;
  const makesAdmin = first?.kind === 'user' && first.what === 'create' && first.isAdmin;
  return makesAdmin ? undefined : refusal(NO_ADMIN);
}

function refusal(why: string): string {
  return `error authorizing query: ${why}`;
}

function lackOf(
  { isAdmin, database: named, level }: RequiredPrivilege,
  requested: string,
  caller: GatewayCaller,
): string | undefined {
  if (isAdmin) return 'admin privilege';
  const database = named || requested;
  const may = { read: caller.mayRead(database), write: caller.mayWrite(database) };
  switch (level) {
    case 'none':
      return undefined;
    case 'READ':
      return may.read ? undefined : `READ on ${database}`;
    case 'WRITE':
      return may.write ? undefined : `WRITE on ${database}`;
    case 'ALL':
      return may.read && may.write ? undefined : `ALL PRIVILEGES on ${database}`;
  }
}
