// Which database and policy the local influxd really has: by the reconciler's base, which notes an object with its mark once
// it has seen it there. A name alone says nothing, an older object of the same name may not have been dropped yet.
import type { Base } from '../../sync/base.js';
import { keyOf } from '../../../shared/meta/model.js';

export interface LocalSchema {
  /** The local influxd has these very objects. */
  has(database: string, policy: string, databaseMark: number, policyMark: number): boolean;
}

export function localSchemaOf(base: () => Pick<Base, 'entries'>): LocalSchema {
  return {
    has(database, policy, databaseMark, policyMark) {
      const { entries } = base();
      const bears = (entry: ReturnType<typeof entries.get>, mark: number) =>
        entry?.local !== undefined && entry.remote?.mark === mark;
      return (
        bears(entries.get(keyOf({ kind: 'database', path: [database] })), databaseMark) &&
        bears(entries.get(keyOf({ kind: 'policy', path: [database, policy] })), policyMark)
      );
    },
  };
}
