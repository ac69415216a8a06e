// What manager and agent have in common when they run: configuration, log, metrics, signals, and the end of all of them.
import type { Command } from 'commander';
import type { Registry } from 'prom-client';
import type { Config } from '../../shared/config/config.js';
import type { LoadedConfig } from '../../shared/config/load.js';
import { buildInfo, type BuildInfo } from '../../shared/lifecycle/build-info.js';
import { watchProcess } from '../../shared/lifecycle/process-signals.js';
import { createLogger, type Logger } from '../../shared/log/logger.js';
import { createRegistry } from '../../shared/metrics/registry.js';
import type { Context } from '../context.js';

/** What a composition root (manager/main.ts, agent/main.ts) is given. */
export interface ProgramOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Of --ready-file. */
  readonly readyFile: string | undefined;
  /** Aborted at SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  readonly build: BuildInfo;
}

/** Resolves to the exit code of `run`; throws what it throws, after the log is written. */
export async function runProgram(
  context: Context,
  command: Command,
  service: 'manager' | 'agent',
  loaded: LoadedConfig,
  run: (options: ProgramOptions) => Promise<number>,
): Promise<number> {
  const build = buildInfo();
  const { level, format } = loaded.config.log;
  const stream = context.io.stderr;
  const logger = createLogger({ level, format, service, build: build.version, stream });
  const signals = watchProcess(context.io.host, logger);
  const { version, commit } = build;
  const registry = createRegistry({ version, commit, service });
  try {
    logger.info('starting', { version, commit, config: loaded.file ?? 'none' });
    for (const warning of loaded.warnings) logger.warn('configuration', { detail: warning });
    const { readyFile } = command.optsWithGlobals<{ readyFile?: string }>();
    const { config } = loaded;
    return await run({ config, logger, registry, readyFile, signal: signals.signal, build });
  } finally {
    signals.dispose();
    await logger.flush();
  }
}
