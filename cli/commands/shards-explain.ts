// shards explain: where points are written to, or which groups a query reads and who can answer it; by the placement alone, so
// it says nothing of who is alive or has hints waiting.
import type { Command } from 'commander';
import { parsePrecision } from '../../shared/influx/precision.js';
import { parseQuery } from '../../shared/influx/influxql/parse.js';
import { LineScanner } from '../../shared/influx/scan/line-scanner.js';
import { formatTime } from '../../shared/influx/time.js';
import { AppError } from '../../shared/errors/app-error.js';
import { takes } from '../../shared/placement/rules.js';
import { print, type Context } from '../context.js';
import { renderFields } from '../output/table.js';
import { explainStatement, type ExplainedStatement } from '../placement-reads.js';
import {
  liveGroups,
  policyNamed,
  readPlacement,
  type Filter,
  type PlacementView,
} from '../placement-view.js';
import { ownersText } from './shards.js';
import { targetOf } from './target.js';

export async function shardsExplain(
  context: Context,
  command: Command,
  text: string,
): Promise<undefined> {
  const view = await readPlacement(await targetOf(context, command));
  const flags = command.opts<Filter & { precision: string }>();
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const query = parseQuery(text, {}, nowNs);
  if (query.kind === 'parsed') {
    const read = query.statements.map((statement) => explainStatement(view, flags, statement));
    print(context, read, (all) => all.map(statementText).join('\n\n'));
    return undefined;
  }
  print(context, explainLines(view, text, flags, nowNs, query.why), (points) =>
    points.map(pointText).join('\n\n'),
  );
  return undefined;
}

interface ExplainedPoint {
  readonly database: string;
  readonly policy: string;
  readonly series: string;
  readonly time: string;
  /** null: none yet, the first write has it made. */
  readonly group: number | null;
  readonly shard: { readonly id: number; readonly index: number; readonly of: number } | null;
  readonly owners: readonly { readonly node: number; readonly incomplete?: object }[];
}

/** Throws AppError `usage` where the text is neither a query nor a line. */
function explainLines(
  view: PlacementView,
  text: string,
  flags: Filter & { readonly precision: string },
  nowNs: bigint,
  whyNoQuery: string,
): ExplainedPoint[] {
  const precision = parsePrecision(flags.precision);
  if (precision === undefined) {
    throw new AppError('usage', `--precision takes n, u, ms, s, m or h, got "${flags.precision}"`);
  }
  const lines = new LineScanner({ precision, defaultTimeNs: nowNs }).scan(Buffer.from(text));
  const [fault] = lines.errors;
  if (fault !== undefined || lines.points === 0) {
    throw new AppError(
      'usage',
      `this is neither a query (${whyNoQuery}) nor line protocol (${fault?.text ?? 'there is no point in it'})`,
    );
  }
  const { database, policy } = policyNamed(view, flags);
  const groups = liveGroups(view, { database, policy });
  return Array.from({ length: lines.points }, (_, line) => {
    const timeNs = lines.timeNs(line);
    const group = groups.find((each) => takes(each, timeNs));
    const index = group === undefined ? 0 : lines.shardOf(line, group.shards.length);
    const shard = group?.shards[index];
    return {
      database,
      policy,
      series: lines.seriesKey(line).toString(),
      time: formatTime(timeNs),
      group: group?.id ?? null,
      shard: shard === undefined ? null : { id: shard.id, index, of: group?.shards.length ?? 0 },
      owners: shard?.owners ?? [],
    };
  });
}

function pointText(point: ExplainedPoint): string {
  const { shard, group, owners } = point;
  return renderFields([
    ['series', point.series],
    ['time', point.time],
    ['policy', `${point.database}.${point.policy}`],
    ['group', group ?? 'none yet: the first write has it made'],
    ['shard', shard === null ? '' : `${shard.id} (${shard.index + 1} of ${shard.of})`],
    ['owners', ownersText(owners as Parameters<typeof ownersText>[0])],
  ]);
}

function statementText(statement: ExplainedStatement): string {
  const { groups, answeredBy, note } = statement;
  return renderFields([
    ['statement', statement.statement],
    ['kind', statement.kind],
    ['from', statement.from],
    ['to', statement.to],
    ...groups.map(
      (group) =>
        [
          `group ${group.id}`,
          `${group.database}.${group.policy} ${group.start} .. ${group.end}  ${group.owners.map(ownersText).join(' | ')}`,
        ] as const,
    ),
    ['answered by', answeredBy === null ? '' : answeredText(answeredBy)],
    ...(note === undefined ? [] : ([['note', note]] as const)),
  ]);
}

function answeredText(nodes: readonly number[]): string {
  return nodes.length === 0
    ? 'no single node: none owns every shard of it completely'
    : nodes.join(', ');
}
