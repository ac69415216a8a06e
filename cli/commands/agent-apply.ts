// agent apply --restart: restarts the local influxd for what no statement can set, such as a user's password.
import type { Command } from 'commander';
import type { ApplyRestartOptions } from '../../agent/commands/apply-restart.js';
import type { RestartWay } from '../../agent/restart/influxd-switch.js';
import type { RestartAnswer } from '../../agent/restart/restarts.js';
import { AppError } from '../../shared/errors/app-error.js';
import { print, say, type Context } from '../context.js';
import { EXIT } from '../exit-codes.js';
import { runOneOff } from './agent-one-off.js';
import { waitOf } from './wait-flag.js';

interface ApplyFlags {
  /** true: without a way. */
  readonly restart?: string | true;
  readonly dryRun?: true;
  readonly wait?: string;
}

export async function agentApply(
  context: Context,
  command: Command,
  runApplyRestart: (options: ApplyRestartOptions) => Promise<RestartAnswer>,
): Promise<number> {
  const flags = command.opts<ApplyFlags>();
  const request = { way: wayOf(flags.restart), dryRun: flags.dryRun === true };
  const waitMs = waitOf(flags.wait);
  const answer = await runOneOff(context, command, (options) =>
    runApplyRestart({ ...options, request, waitMs }),
  );
  const body = answer.kind === 'would-restart' ? { ...answer, 'dry-run': true } : answer;
  print(context, body, () => sentenceOf(answer));
  const exitCode = exitCodeFor(answer);
  // For people, also where a program reads the answer.
  if (exitCode !== EXIT.ok && context.options.output === 'json') {
    say(context, `clusterflux: ${sentenceOf(answer)}`);
  }
  return exitCode;
}

function wayOf(flag: string | true | undefined): RestartWay | undefined {
  if (flag === true) return undefined;
  if (flag === 'command' || flag === 'signal') return flag;
  throw new AppError(
    'usage',
    flag === undefined
      ? 'agent apply restarts influxd, which has to be asked for: add --restart'
      : `--restart takes command or signal, got "${flag}"`,
  );
}

function exitCodeFor({ kind }: RestartAnswer): number {
  if (kind === 'waits') return EXIT.unhealthy;
  return kind === 'failed' ? EXIT.failed : EXIT.ok;
}

function sentenceOf(answer: RestartAnswer): string {
  switch (answer.kind) {
    case 'nothing':
      return 'nothing waits for a restart of influxd';
    case 'waits':
      return `influxd was not restarted: ${answer.why}`;
    case 'failed':
      return `restarting influxd failed: ${answer.why}`;
    case 'restarted':
      return `influxd was restarted, for ${answer.objects.join(', ')}`;
    case 'would-restart':
      return `influxd would be restarted, for ${answer.objects.join(', ')}`;
  }
}
