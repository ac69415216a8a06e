// versions rollback: a new version with the content of an old one. It always looks first, shows what would change, and asks for
// --yes where anything would go; drops that the manager's guard holds also want --approve with the digest of that list.
import type { Command } from 'commander';
import { clusterSchema } from '../../shared/api/clusters.js';
import { rollbackSchema, type RollbackBody } from '../../shared/api/rollback.js';
import { AppError } from '../../shared/errors/app-error.js';
import { print, say, type Context } from '../context.js';
import { assertYes, clusterPath, targetOf, versionOf } from './target.js';
import { changeLine } from './versions-diff.js';

interface RollbackFlags {
  readonly dryRun?: true;
  readonly yes?: true;
  readonly approve?: string;
}

/** Rolls back from the version that it looked at: a cluster that moved on in between is a conflict (exit code 5). */
export async function versionsRollback(
  context: Context,
  command: Command,
  text: string,
): Promise<undefined> {
  const { api, cluster } = await targetOf(context, command);
  const to = versionOf(text);
  const flags = command.opts<RollbackFlags>();
  const { version: expect } = await api.json(clusterPath(cluster), clusterSchema);
  const path = clusterPath(cluster, '/rollback');
  const look = await api.post(path, { to, expect, 'dry-run': true }, rollbackSchema);
  if (flags.dryRun === true) {
    print(context, look, changesText);
    say(context, `${wouldBe(cluster, to, expect)}; nothing was changed`);
    for (const line of warnings(look)) say(context, line);
    return undefined;
  }
  if (look.changes.length === 0) {
    print(context, look, changesText);
    say(context, `cluster ${cluster} has the content of version ${to} already`);
    return undefined;
  }
  assertMeant(context, command, { cluster, to, expect, look, approve: flags.approve });
  const approve = flags.approve === undefined ? {} : { approve: flags.approve };
  const done = await api.post(path, { to, expect, ...approve }, rollbackSchema);
  print(context, done, changesText);
  say(context, `cluster ${cluster} is at version ${done.version}, with the content of ${to}`);
  return undefined;
}

interface Intent {
  readonly cluster: string;
  readonly to: number;
  readonly expect: number;
  readonly look: RollbackBody;
  readonly approve: string | undefined;
}

/** Throws AppError `usage` without --yes where anything goes, `too-many-drops` where the list is not the approved one. */
function assertMeant(context: Context, command: Command, intent: Intent): void {
  const { cluster, to, expect, look, approve } = intent;
  const isApproved = !look['needs-approval'] || approve === look.digest;
  const drops = look.changes.some(({ kind }) => kind === 'dropped') || look.drops.length > 0;
  if (drops && command.opts<RollbackFlags>().yes !== true) {
    for (const change of look.changes) say(context, changeLine(change));
    for (const line of warnings(look)) say(context, line);
    const also = isApproved ? '' : ` (and --approve ${look.digest})`;
    assertYes(command, `rolls cluster ${cluster} back from version ${expect} to ${to}${also}`);
  }
  if (isApproved) return;
  for (const line of warnings(look)) say(context, line);
  throw new AppError(
    'too-many-drops',
    `cluster ${cluster} was not rolled back, because that loses more than the guard lets through without a person; where all of it is meant, repeat with --yes --approve ${look.digest}`,
    { status: 422 },
  );
}

function wouldBe(cluster: string, to: number, expect: number): string {
  return `cluster ${cluster} would be rolled back from version ${expect} to ${to}`;
}

function changesText({ changes }: RollbackBody): string {
  return changes.map(changeLine).join('\n');
}

/** What of the changes can't be undone by another rollback, one line each. */
function warnings(look: RollbackBody): string[] {
  const lines = look.drops.map(({ object, change }) =>
    change === 'drop'
      ? `lost for good: ${object} with all its points, on every node`
      : `lost for good: the points of ${object} that are older than its new duration, on every node`,
  );
  if (look['needs-approval']) lines.push(`the guard holds this list; its digest is ${look.digest}`);
  return lines;
}
