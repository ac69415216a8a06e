// The decoded metadata of a cluster as an indented list, for people. Pure.
import type { DecodedSnapshot } from '../../shared/api/snapshots.js';

export function snapshotText(snapshot: DecodedSnapshot): string {
  const head = `version ${snapshot.version}, incarnation ${snapshot.incarnation}`;
  const users = snapshot.users.map((user) => {
    const privileges = Object.entries(user.privileges).map(
      ([database, level]) => `${level} on ${quoted(database)}`,
    );
    const rights = user.admin ? ['admin', ...privileges] : privileges;
    return `user ${quoted(user.name)}: ${rights.length === 0 ? 'no privileges' : rights.join(', ')}`;
  });
  return [head, ...snapshot.databases.flatMap(databaseLines), ...users].join('\n');
}

function databaseLines(database: DecodedSnapshot['databases'][number]): string[] {
  const policies = database.policies.map((policy) => {
    const isDefault = policy.name === database['default-policy'] ? ' (default)' : '';
    const { duration, replication } = policy;
    return `  policy ${quoted(policy.name)}${isDefault}: duration ${duration}, shards of ${policy['shard-duration']}, replication ${replication}`;
  });
  const queries = database['continuous-queries'].map(
    (query) => `  continuous query ${quoted(query.name)}: ${query.query}`,
  );
  const subscriptions = database.subscriptions.map(
    (each) =>
      `  subscription ${quoted(each.name)} on ${quoted(each.policy)}: ${each.mode} ${each.destinations.join(', ')}`,
  );
  return [`database ${quoted(database.name)}`, ...policies, ...queries, ...subscriptions];
}

/** Names that would not read as one word stand in quotes, with their control characters escaped. */
function quoted(name: string): string {
  return /^[\p{L}\p{N}_.:-]+$/u.test(name) ? name : JSON.stringify(name);
}
