// agent sync: one reconciliation and out; for cron lines, init steps and people. Idempotent.
import type { Command } from 'commander';
import type { SyncOptions } from '../../agent/commands/sync.js';
import type { TickMode, TickReport } from '../../agent/sync/port.js';
import { messageOf } from '../../shared/errors/app-error.js';
import { print, say, type Context } from '../context.js';
import { EXIT, exitCodeOf } from '../exit-codes.js';
import { runOneOff } from './agent-one-off.js';
import { waitOf } from './wait-flag.js';

interface SyncFlags {
  readonly push?: true;
  readonly pull?: true;
  readonly offline?: true;
  readonly dryRun?: true;
  readonly wait?: string;
  readonly bestEffort?: true;
}

/** Prints the report; with --best-effort the exit code is 0 whatever happened, and stderr says what did. */
export async function agentSync(
  context: Context,
  command: Command,
  runSync: (options: SyncOptions) => Promise<TickReport>,
): Promise<number> {
  const flags = command.opts<SyncFlags>();
  const mode = modeOf(flags);
  const waitMs = waitOf(flags.wait);
  try {
    const report = await runOneOff(context, command, (options) =>
      runSync({ ...options, mode, waitMs }),
    );
    const exitCode = exitCodeFor(report);
    print(context, report, exitCode === EXIT.ok ? reportText : itemsText);
    // What went wrong is for people, also where a program reads the report.
    if (exitCode !== EXIT.ok) say(context, `clusterflux: ${report.sentence}`);
    return flags.bestEffort === true ? EXIT.ok : exitCode;
  } catch (error) {
    if (flags.bestEffort !== true || exitCodeOf(error) === EXIT.interrupted) throw error;
    say(context, `clusterflux: ${messageOf(error)} (going on, because of --best-effort)`);
    return EXIT.ok;
  }
}

/** Neither or both of --push and --pull mean both directions. */
function modeOf(flags: SyncFlags): TickMode {
  const isBoth = flags.push === flags.pull;
  return {
    push: isBoth || flags.push === true,
    pull: isBoth || flags.pull === true,
    offline: flags.offline === true,
    dryRun: flags.dryRun === true,
  };
}

function exitCodeFor({ outcome }: TickReport): number {
  switch (outcome) {
    case 'no-action':
    case 'changed':
      return EXIT.ok;
    case 'waiting':
      return EXIT.timeout;
    case 'paused':
    case 'blocked':
      return EXIT.unhealthy;
    case 'failed':
      return EXIT.failed;
  }
}

function reportText(report: TickReport): string {
  return [itemsText(report), report.sentence].filter((text) => text !== '').join('\n');
}

function itemsText(report: TickReport): string {
  return [
    ...report.steps.map((step) => `${step.direction}: ${step.text}`),
    ...report.pending.map(
      (item) => `pending: ${item.reason}${item.remedy === '' ? '' : ` (${item.remedy})`}`,
    ),
    ...report.held.map((item) => `held: ${item.why} (${item.command})`),
  ].join('\n');
}
