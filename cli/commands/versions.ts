// versions list, get.
import type { Command } from 'commander';
import { historySchema, type HistoryEntry } from '../../shared/api/history.js';
import { decodedSnapshotSchema } from '../../shared/api/snapshots.js';
import { print, type Context } from '../context.js';
import { age } from '../output/age.js';
import { snapshotText } from '../output/snapshot.js';
import { renderTable } from '../output/table.js';
import { clusterPath, targetOf, versionOf } from './target.js';

export async function versionsList(context: Context, command: Command): Promise<undefined> {
  const { api, cluster } = await targetOf(context, command);
  const history = await api.json(clusterPath(cluster, '/history'), historySchema);
  const nowMs = Date.now();
  print(context, history, (entries) =>
    renderTable(entries, [
      { title: 'version', value: (entry) => entry.version, align: 'right' },
      { title: 'age', value: (entry) => age(entry.at, nowMs), align: 'right' },
      { title: 'by', value: authorOf },
      { title: 'bytes', value: (entry) => entry.bytes, align: 'right' },
      { title: 'digest', value: (entry) => entry.digest.slice(0, 12) },
      { title: 'changes', value: changesOf },
    ]),
  );
  return undefined;
}

export async function versionsGet(
  context: Context,
  command: Command,
  text: string,
): Promise<undefined> {
  const { api, cluster } = await targetOf(context, command);
  const path = clusterPath(cluster, `/history/${versionOf(text)}`);
  print(context, await api.json(path, decodedSnapshotSchema), snapshotText);
  return undefined;
}

function authorOf({ author }: HistoryEntry): string {
  if (author.user !== undefined) return author.user;
  return author.node === undefined ? '' : `node ${author.node}`;
}

/** The first three; -o json has them all. */
function changesOf(entry: HistoryEntry): string {
  const shown = entry.changes.slice(0, 3);
  const more = entry.changes.length - shown.length + (entry['changes-omitted'] ?? 0);
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '');
}
