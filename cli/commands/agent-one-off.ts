// What the one-off commands of the agent have in common: configuration, a log for people, and an orderly end at Ctrl-C.
import type { Command } from 'commander';
import type { OneOffOptions } from '../../agent/commands/options.js';
import { watchProcess } from '../../shared/lifecycle/process-signals.js';
import { createLogger } from '../../shared/log/logger.js';
import { AGENT_FLAGS, loadFor } from '../config-flags.js';
import { say, type Context } from '../context.js';

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
