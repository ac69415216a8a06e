// meta approve: shows what a node holds for a person, and decides it: exactly the list that was shown, named by its digest.
import type { Command } from 'commander';
import type { NodeBody } from '../../shared/api/nodes.js';
import {
  approveAnswerSchema,
  type Decision,
  type HeldItem,
  type HeldSummary,
} from '../../shared/api/orders.js';
import { AppError } from '../../shared/errors/app-error.js';
import { print, say, type Context } from '../context.js';
import { nodeNamed, nodePath } from '../node-name.js';
import { assertYes, targetOf } from './target.js';

interface ApproveFlags {
  readonly keep?: true;
  readonly drop?: true;
  readonly dryRun?: true;
  readonly digest?: string;
}

const DOES: Readonly<Record<Decision, string>> = {
  keep: 'what is held stays, on this server and in the cluster',
  drop: 'what is held goes, and what the guard stopped is carried out',
};

/** Exit code 5 where the list is another one by the time that it is decided, or than --digest names. */
export async function metaApprove(
  context: Context,
  command: Command,
  name: string,
): Promise<undefined> {
  const target = await targetOf(context, command);
  const flags = command.opts<ApproveFlags>();
  const node = await nodeNamed(target, name);
  const { held } = node;
  const what = `node ${node.id} of cluster ${target.cluster}`;
  if (held === undefined || held === null) {
    print(context, nothingHeld(node, flags.dryRun), () => `${what} holds nothing`);
    return undefined;
  }
  if (flags.digest !== undefined && flags.digest !== held.digest) {
    throw new AppError(
      'held-changed',
      `nothing was decided: ${what} holds another list by now, digest ${held.digest}; look at it with --dry-run`,
      { status: 409 },
    );
  }
  const given = decisionOf(flags);
  const decision = given ?? defaultFor(held);
  if (flags.dryRun === true) {
    const dry = { node: node.id, decision: decision ?? null, held, 'dry-run': true };
    print(context, dry, () => heldText(held));
    say(
      context,
      `${would(decision)}; nothing was decided. The digest of this list is ${held.digest}`,
    );
    return undefined;
  }
  if (decision === undefined) {
    say(context, heldText(held));
    throw new AppError(
      'usage',
      `${what} holds objects of a server that joined, and nobody can know whether they shall live: add --keep (${DOES.keep}) or --drop (${DOES.drop})`,
    );
  }
  // To keep deletes nothing.
  if (decision === 'drop') assertDropMeant(context, command, { held, what });
  const body = { digest: held.digest, decision };
  const path = nodePath(target.cluster, node.id, '/approve');
  const answer = await target.api.post(path, body, approveAnswerSchema);
  print(context, answer, () => heldText(answer.held));
  say(context, `decided, ${decision}: ${what} does it with its next heartbeat`);
  return undefined;
}

/** Shows what would go. Throws AppError `usage` without --yes. */
function assertDropMeant(
  context: Context,
  command: Command,
  { held, what }: { readonly held: HeldSummary; readonly what: string },
): void {
  if (command.opts<{ yes?: true }>().yes !== true) say(context, heldText(held));
  assertYes(command, `decides ${held.count} held objects of ${what}: ${DOES.drop}`);
}

function decisionOf({ keep, drop }: ApproveFlags): Decision | undefined {
  if (keep === true && drop === true) {
    throw new AppError('usage', 'give one of --keep and --drop, not both');
  }
  return keep === true ? 'keep' : drop === true ? 'drop' : undefined;
}

/** What the guard stopped somebody did on purpose; what a join holds nobody has decided yet, and unseen items may be such. */
function defaultFor({ count, items = [] }: HeldSummary): Decision | undefined {
  const isWhole = items.length === count;
  return isWhole && items.every(({ kind }) => kind === 'guard') ? 'drop' : undefined;
}

function would(decision: Decision | undefined): string {
  return decision === undefined
    ? 'add --keep or --drop to decide it'
    : `${decision}: ${DOES[decision]}`;
}

function heldText({ count, items = [] }: HeldSummary): string {
  const rest = count - items.length;
  return [
    ...items.map(itemLine),
    ...(rest > 0 ? [`and ${rest} more, which the node's /status lists`] : []),
  ].join('\n');
}

function itemLine({ object, why, kind }: HeldItem): string {
  return `${kind}: ${why.startsWith(object) ? why : `${object}: ${why}`}`;
}

function nothingHeld({ id }: NodeBody, dryRun: true | undefined): object {
  return { node: id, decision: null, held: null, ...(dryRun ? { 'dry-run': true } : {}) };
}
