// What the one-off commands of the agent have in common: configuration, a log for people, and an orderly end at Ctrl-C.
import type { Command } from 'commander';
import type { TickMode, TickReport } from '../../agent/sync/port.js';
import type { Config } from '../../shared/config/config.js';
import { watchProcess } from '../../shared/lifecycle/process-signals.js';
import { createLogger, type Logger } from '../../shared/log/logger.js';
import { AGENT_FLAGS, loadFor } from '../config-flags.js';
import { say, type Context } from '../context.js';

/** What agent/commands/* are given. */
export interface OneOffOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Aborted at SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
}

/** agent/commands/sync.ts: at most one tick, or ticks until all is in step or `waitMs` are over. Throws AppError. */
export type RunSync = (
  options: OneOffOptions & { readonly mode: TickMode; readonly waitMs: number },
) => Promise<TickReport>;

/** What a command did, as one sentence; more fields go out with `-o json`. */
export interface OneOffResult {
  readonly sentence: string;
}

/** agent/commands/restore.ts: `file` undefined means the newest kept meta.db. Throws AppError. */
export type RunRestore = (
  options: OneOffOptions & { readonly file: string | undefined },
) => Promise<OneOffResult>;

/** agent/commands/rejoin.ts: into the cluster of `config.agent.cluster`. Throws AppError. */
export type RunRejoin = (options: OneOffOptions) => Promise<OneOffResult>;

/** Runs `work` and gives back what it gives back; throws what it throws, after the log is written. */
export async function runOneOff<T>(
  context: Context,
  command: Command,
  work: (options: OneOffOptions) => Promise<T>,
): Promise<T> {
  const { config, warnings } = loadFor(context, command, AGENT_FLAGS);
  for (const warning of warnings) say(context, `warning: ${warning}`);
  // What a command did is its output; only trouble belongs into a log beside it, unless more is asked for.
  const level = context.options.debug
    ? 'debug'
    : config.log.level === 'info'
      ? 'warn'
      : config.log.level;
  const stream = context.io.stderr;
  const logger = createLogger({ level, format: config.log.format, service: 'agent', stream });
  const signals = watchProcess(context.io.host, logger);
  try {
    return await work({ config, logger, signal: signals.signal });
  } finally {
    signals.dispose();
    await logger.flush();
  }
}
