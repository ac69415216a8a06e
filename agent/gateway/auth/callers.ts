// What a user may do, as influxd judges privileges: one value per database, ALL includes both, an admin needs none.
import type { UserInfo } from '../metadata/port.js';
import type { GatewayCaller } from './port.js';

/** Where nobody is asked who he is, everybody may do everything. */
export const ANYBODY: GatewayCaller = {
  user: undefined,
  isAdmin: true,
  mayRead: () => true,
  mayWrite: () => true,
};

/** Nobody has logged in, because nobody can: there is no admin. */
export const NOBODY: GatewayCaller = {
  user: undefined,
  isAdmin: false,
  mayRead: () => false,
  mayWrite: () => false,
};

export function callerOf({ name, isAdmin, privileges }: UserInfo): GatewayCaller {
  const has = (database: string, privilege: 'READ' | 'WRITE') => {
    const granted = privileges.get(database);
    return isAdmin || granted === 'ALL' || granted === privilege;
  };
  return {
    user: name,
    isAdmin,
    mayRead: (database) => has(database, 'READ'),
    mayWrite: (database) => has(database, 'WRITE'),
  };
}
