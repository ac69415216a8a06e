// How the tree gives a command its example and its action.
import type { Command } from 'commander';
import type { Context } from '../context.js';

/** An exit code, or nothing for 0. */
export type Result = number | undefined;

/** What a command does, with the arguments that were given. */
export type Action = (context: Context, command: Command, args: string[]) => Promise<Result>;

/** Adds the example to the command's help, and what runs it. */
export type Binder = (command: Command, example: string, action: Action) => void;

/** A command of the second level, made under its noun: `verb('get', 'one node')`. */
export type Verb = (name: string, description: string) => Command;

/** A noun only has verbs; without one its help is shown, as wrong use. */
export function noun(program: Command, name: string, description: string): Verb {
  const command = program.command(name).description(description);
  return (verb, text) => command.command(verb).description(text);
}
