// shards list, map.
import type { Command } from 'commander';
import { encodeName } from '../../shared/api/names.js';
import { nodeListSchema } from '../../shared/api/nodes.js';
import { placementToWire } from '../../shared/api/placement.js';
import { formatTime } from '../../shared/influx/time.js';
import type { Marks } from '../../shared/meta/marks.js';
import type { Owner, PlacedGroup } from '../../shared/placement/model.js';
import { isVoid } from '../../shared/placement/rules.js';
import { print, say, type Context } from '../context.js';
import { localShards, type LocalShards } from '../local-shards.js';
import { groupsIn, readPlacement, type Filter, type PlacementView } from '../placement-view.js';
import { renderTable } from '../output/table.js';
import { targetOf, type Target } from './target.js';

export async function shardsList(context: Context, command: Command): Promise<undefined> {
  const target = await targetOf(context, command);
  const view = await readPlacement(target);
  const { local, ...filter } = command.opts<Filter & { local?: true }>();
  const groups = groupsIn(view, filter);
  const isWide = context.options.output === 'wide';
  const owned = isWide ? await ownedBy(context, target, { groups, local: local === true }) : [];
  print(context, placementToWire({ ...view.placement, groups }), () =>
    isWide ? wideTable(owned) : groupsTable(groups, view.marks),
  );
  return undefined;
}

export async function shardsMap(context: Context, command: Command): Promise<undefined> {
  const view = await readPlacement(await targetOf(context, command));
  const groups = groupsIn(view, command.opts<Filter>());
  print(context, placementToWire({ ...view.placement, groups }), () => mapText(groups, view));
  return undefined;
}

function groupsTable(groups: readonly PlacedGroup[], marks: Marks): string {
  return renderTable(groups, [
    { title: 'group', value: ({ id }) => id, align: 'right' },
    { title: 'database', value: ({ database }) => database },
    { title: 'policy', value: ({ policy }) => policy },
    { title: 'start', value: ({ startNs }) => formatTime(startNs) },
    { title: 'end', value: ({ endNs }) => formatTime(endNs) },
    { title: 'state', value: (group) => stateOf(group, marks) },
    { title: 'shards', value: ({ shards }) => shards.length, align: 'right' },
    {
      title: 'owners',
      value: ({ shards }) => shards.map(({ owners }) => ownersText(owners)).join(' | '),
    },
    { title: 'incomplete', value: incompleteText },
  ]);
}

/** One owner of one shard. */
interface Owned {
  readonly group: PlacedGroup;
  readonly shard: number;
  readonly owner: Owner;
  readonly hostname: string | undefined;
  readonly local: LocalShards | undefined;
}

/** With what the owners' agents tell of their own shards, where that is asked for; one that does not answer is said. */
async function ownedBy(
  context: Context,
  target: Target,
  { groups, local }: { readonly groups: readonly PlacedGroup[]; readonly local: boolean },
): Promise<Owned[]> {
  const path = `/nodes/${encodeName(target.cluster)}`;
  const nodes = await target.api.json(path, nodeListSchema);
  const hostnames = new Map(nodes.map(({ id, hostname }) => [id, hostname]));
  const owners = new Set(
    groups.flatMap(({ shards }) => shards.flatMap((shard) => shard.owners.map(({ node }) => node))),
  );
  const locals = new Map<number, LocalShards>();
  for (const node of local ? owners : []) {
    const found = await localShards(target, node, context.options.timeoutMs);
    if (typeof found === 'string')
      say(context, `node ${node} tells nothing of its shards: ${found}`);
    else locals.set(node, found);
  }
  return groups.flatMap((group) =>
    group.shards.flatMap((shard) =>
      shard.owners.map((owner) => ({
        group,
        shard: shard.id,
        owner,
        hostname: hostnames.get(owner.node),
        local: locals.get(owner.node),
      })),
    ),
  );
}

function wideTable(rows: readonly Owned[]): string {
  return renderTable(rows, [
    { title: 'group', value: ({ group }) => group.id, align: 'right' },
    { title: 'shard', value: ({ shard }) => shard, align: 'right' },
    { title: 'database', value: ({ group }) => group.database },
    { title: 'policy', value: ({ group }) => group.policy },
    { title: 'start', value: ({ group }) => formatTime(group.startNs) },
    { title: 'end', value: ({ group }) => formatTime(group.endNs) },
    { title: 'node', value: ({ owner }) => owner.node, align: 'right' },
    { title: 'hostname', value: ({ hostname }) => hostname },
    { title: 'complete', value: ({ owner }) => (owner.incomplete === undefined ? 'yes' : 'no') },
    { title: 'since', value: ({ owner }) => owner.incomplete?.since },
    { title: 'why', value: whyText },
    { title: 'local', value: ({ group, local }) => local?.idsOf(group).join(',') },
    { title: 'bytes', value: ({ group, local }) => local?.bytesOf(group), align: 'right' },
  ]);
}

function whyText({ owner }: Owned): string {
  const unsure = owner.orderUnsureSince;
  return [
    ...(owner.incomplete === undefined ? [] : [owner.incomplete.why]),
    ...(unsure === undefined ? [] : [`the order of rewritten points is unsure since ${unsure}`]),
  ].join('; ');
}

/** Rows are groups by time, columns their shards. */
function mapText(groups: readonly PlacedGroup[], { marks }: PlacementView): string {
  const byPolicy = new Map<string, PlacedGroup[]>();
  for (const group of groups) {
    const name = `${group.database}.${group.policy}`;
    const list = byPolicy.get(name);
    if (list === undefined) byPolicy.set(name, [group]);
    else list.push(group);
  }
  return [...byPolicy].map(([name, each]) => `${name}\n${mapOf(each, marks)}`).join('\n\n');
}

function mapOf(groups: readonly PlacedGroup[], marks: Marks): string {
  const shards = Math.max(...groups.map((group) => group.shards.length));
  return renderTable(groups, [
    { title: 'start', value: ({ startNs }) => formatTime(startNs) },
    { title: 'end', value: ({ endNs }) => formatTime(endNs) },
    ...Array.from({ length: shards }, (_, index) => ({
      title: `shard ${index}`,
      value: (group: PlacedGroup) => ownersText(group.shards[index]?.owners ?? []),
    })),
    { title: 'state', value: (group) => stateOf(group, marks) },
  ]);
}

/** `1,2,3!`: the third may lack points. */
export function ownersText(owners: readonly Owner[]): string {
  return owners
    .map(({ node, incomplete }) => `${node}${incomplete === undefined ? '' : '!'}`)
    .join(',');
}

function incompleteText({ shards }: PlacedGroup): string {
  return shards
    .flatMap(({ owners }) => owners)
    .filter(({ incomplete }) => incomplete !== undefined)
    .map(({ node, incomplete }) => `node ${node}: ${incomplete?.why ?? ''}`)
    .join('; ');
}

function stateOf(group: PlacedGroup, marks: Marks): string {
  const { cut, isAdopted } = group;
  const words = [
    ...(isVoid(group, marks) ? ['void'] : []),
    ...(isAdopted === true ? ['adopted'] : []),
    ...(cut === undefined ? [] : [cutText(cut)]),
  ];
  return words.length === 0 ? 'ok' : words.join(', ');
}

function cutText({ atNs, counts, confirmed }: NonNullable<PlacedGroup['cut']>): string {
  const at = formatTime(atNs);
  return counts ? `cut at ${at}` : `to be cut at ${at} (${confirmed.length} confirmed)`;
}
