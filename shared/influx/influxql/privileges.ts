// The privileges that statements require, as influxd's RequiredPrivileges has them (influxql 1.1.0).
import type { Select } from './select.js';
import type { RequiredPrivilege, Source } from './statement.js';

/** Only an admin may. */
export const ADMIN: readonly RequiredPrivilege[] = [{ isAdmin: true, database: '', level: 'ALL' }];

/** Anybody who is logged in may. */
export const NOTHING: readonly RequiredPrivilege[] = [
  { isAdmin: false, database: '', level: 'none' },
];

export function reads(database: string): readonly RequiredPrivilege[] {
  return [{ isAdmin: false, database, level: 'READ' }];
}

export function writes(database: string): readonly RequiredPrivilege[] {
  return [{ isAdmin: false, database, level: 'WRITE' }];
}

/** Of no sources: none. influxd lets anybody count exactly what no FROM limits. */
export function readsEach(sources: readonly Source[]): readonly RequiredPrivilege[] {
  return sources.flatMap((source) => reads(source.database));
}

/** READ on each source's database, WRITE on that of INTO; in subqueries too. */
export function forSelect(select: Select): readonly RequiredPrivilege[] {
  const read = select.from.flatMap((from) =>
    from.kind === 'subquery' ? forSelect(from.select) : reads(from.source.database),
  );
  return select.into === undefined ? read : [...read, ...writes(select.into.target.database)];
}
