// What the parts of the fake influxd's metadata share: the refusal, the outcome of a statement, and looking things up.
import type { Data, DatabaseInfo } from '../../../shared/meta/gen/meta_pb.js';
import type { Command } from './parser.js';

export type CommandOf<K extends Command['kind']> = Extract<Command, { kind: K }>;

/** influxd's error text for a statement that it parsed and would not run. */
export class Refusal extends Error {}

/** `committed`: influxd wrote its file and raised Index, which it also does for many statements that change nothing. */
export type Effect = 'committed' | 'nothing';

export interface MetadataOptions {
  /** influxd's retention-autocreate: a database that is created plain gets the policy `autogen`. */
  readonly autocreate: boolean;
  /** A password as its hash: other text each time, as bcrypt with its salt. */
  readonly hash: (password: string) => string;
  readonly verify: (password: string, hash: string) => boolean;
}

export function databaseNamed(data: Data, name: string): DatabaseInfo {
  const found = data.Databases.find(({ Name }) => Name === name);
  if (found === undefined) throw new Refusal(`database not found: ${name}`);
  return found;
}
