// What every command gets: its surroundings, the global flags, and the ways to print. Made by program.ts.
import type { Io } from './io.js';

/** The flags that every command understands. */
export interface GlobalOptions {
  readonly config: string | undefined;
  /** Of --manager; undefined: agent.endpoints of the configuration. */
  readonly manager: string | undefined;
  /** Of --token-file; undefined: agent.token-file of the configuration. */
  readonly tokenFile: string | undefined;
  readonly timeoutMs: number;
  readonly output: 'table' | 'wide' | 'json';
  readonly debug: boolean;
}

export interface Context {
  readonly io: Io;
  readonly options: GlobalOptions;
}

/** One line on stderr, for people. */
export function say(context: Context, line: string): void {
  context.io.stderr.write(`${line}\n`);
}

/** The object of the API unchanged with `-o json`, else the table that `table` makes of it. */
export function print<T>(context: Context, data: T, table: (data: T) => string): void {
  const text = context.options.output === 'json' ? JSON.stringify(data, null, 2) : table(data);
  context.io.stdout.write(text === '' ? '' : `${text}\n`);
}
