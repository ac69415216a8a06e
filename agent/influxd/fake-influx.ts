// An influxd in memory behind the InfluxControl port, for tests: runs metadata statements, keeps meta.db, shards on disk and
// loaded shards apart as a real one does, and can be killed, frozen, given another meta.db, made to refuse or lose replies.
import { clone } from '@bufbuild/protobuf';
import { AppError } from '../../shared/errors/app-error.js';
import { decodeSnapshot, encodeSnapshot } from '../../shared/meta/codec.js';
import type { Data, RetentionPolicyInfo } from '../../shared/meta/gen/meta_pb.js';
import { DataSchema } from '../../shared/meta/gen/meta_pb.js';
import { emptyData } from '../../shared/meta/snapshot.js';
import { unreachable } from './deadline.js';
import { applyCommand } from './fake/metadata.js';
import type { MetadataOptions } from './fake/outcome.js';
import { Refusal } from './fake/outcome.js';
import { ParseError, parseStatement } from './fake/parser.js';
import type { Command } from './fake/parser.js';
import { addGroup, shardFor } from './fake/shards.js';
import type { InfluxControl, LoadedShard, MetaFile, StatementResult } from './port.js';

export interface FakeInfluxOptions {
  /** Numbers in [0, 1), for ClusterIDs; Math.random where absent. */
  readonly random?: () => number;
  readonly internalDatabase?: string;
  readonly version?: string;
  /** influxd's retention-autocreate; true where absent. */
  readonly autocreate?: boolean;
  /** An existing meta.db; a fresh server where absent. */
  readonly file?: Uint8Array;
  /** False: installed, and not started yet (no meta.db is written). */
  readonly started?: boolean;
}

/** What is called around each statement that comes through the control (not around `run`). */
export interface FakeInfluxHooks {
  before?: (statement: string) => void | Promise<void>;
  after?: (statement: string, result: StatementResult) => void | Promise<void>;
}

/** What happens to a statement that comes through the control. */
interface Fault {
  readonly kind: 'refuse' | 'lose-request' | 'lose-reply';
  readonly matching: RegExp;
  readonly text: string;
}

/** As a real influxd answers when it is not there. */
const GONE = 'connect ECONNREFUSED; start influxd';

export class FakeInflux implements InfluxControl {
  readonly hooks: FakeInfluxHooks = {};
  /** Every statement that came through the control and was looked at, in order. */
  readonly statements: string[] = [];
  /** What lies in the data directory, whatever the metadata says. */
  readonly disk = new Map<bigint, LoadedShard>();
  private readonly options: FakeInfluxOptions;
  private readonly metadata: MetadataOptions;
  private memory: Data | undefined;
  /** Bytes, or the message that the bytes would be encoded from; undefined: there is no meta.db. */
  private file: Uint8Array | Data | undefined;
  private loaded = new Map<bigint, LoadedShard>();
  private view: Data | undefined;
  private faults: Fault[] = [];
  private thawed: Promise<void> | undefined;
  private thawNow: (() => void) | undefined;
  private hashes = 0;

  constructor(options: FakeInfluxOptions = {}) {
    this.options = options;
    this.file = options.file;
    this.metadata = {
      autocreate: options.autocreate ?? true,
      hash: (password) => `$fake$${(this.hashes += 1)}$${this.randomId().toString(36)}$${password}`,
      verify: (password, hash) => hash.startsWith('$fake$') && hash.endsWith(`$${password}`),
    };
    if (options.started !== false) this.start();
  }

  // ---- what a person or the system does to the server

  get isRunning(): boolean {
    return this.memory !== undefined;
  }

  /** A copy of the metadata in memory. Throws where it does not run. */
  get data(): Data {
    return clone(DataSchema, this.running('looking at its memory'));
  }

  /** Reads meta.db and opens the shards on disk. Throws Error where a real influxd would exit. */
  start(): void {
    if (this.memory) return;
    const bytes = this.fileBytes();
    const memory = bytes === undefined ? this.freshData() : decodeSnapshot(bytes);
    this.setMemory(memory);
    this.loaded = new Map(this.disk);
    // A missing file, and one at Index 1, is written at the start; others are left as they are.
    if (bytes === undefined || memory.Index === 1n) this.saveFile();
  }

  /** At once, as by SIGKILL. */
  kill(): void {
    if (this.memory === undefined) return;
    this.file = this.fileBytes();
    this.memory = undefined;
    this.view = undefined;
    this.loaded.clear();
    this.thaw();
  }

  restart(): void {
    this.kill();
    this.start();
  }

  /** Puts another meta.db in place, or removes it; a running server does not notice and overwrites it at its next commit. */
  replaceFile(bytes: Uint8Array | undefined): void {
    this.file = bytes;
  }

  /** The content of meta.db. */
  fileBytes(): Uint8Array | undefined {
    if (this.file !== undefined && !(this.file instanceof Uint8Array))
      this.file = encodeSnapshot(this.file);
    return this.file;
  }

  /** From now on nothing answers, until `thaw` or `kill`: calls hang until their signal fires. */
  freeze(): void {
    this.thawed ??= new Promise((resolve) => {
      this.thawNow = resolve;
    });
  }

  thaw(): void {
    this.thawNow?.();
    this.thawed = undefined;
    this.thawNow = undefined;
  }

  /** The next statement that matches is answered with this error text, and not run. */
  refuseNext(text: string, matching = /(?:)/): void {
    this.faults.push({ kind: 'refuse', matching, text });
  }

  /** The next statement that matches never arrives. */
  loseNextRequest(matching = /(?:)/): void {
    this.faults.push({ kind: 'lose-request', matching, text: 'socket hang up' });
  }

  /** The next statement that matches is run, and its answer is lost. */
  loseNextReply(matching = /(?:)/): void {
    this.faults.push({ kind: 'lose-reply', matching, text: 'socket hang up' });
  }

  /** A user's own statement, straight to the server. */
  run(statement: string): StatementResult {
    const memory = this.running(`running ${statement}`);
    try {
      const command = parseStatement(statement);
      this.unloadShards(memory, command);
      if (applyCommand(memory, command, this.metadata) === 'committed') this.commit();
      return { kind: 'done' };
    } catch (error) {
      if (error instanceof ParseError || error instanceof Refusal)
        return { kind: 'refused', text: error.message };
      throw error;
    }
  }

  /** Writes a point: makes the shard group for its time where there is none. Returns the shard's id. */
  write(database: string, policy: string | undefined, timeNs: bigint): bigint {
    const memory = this.running(`writing to ${database}`);
    const info = memory.Databases.find(({ Name }) => Name === database);
    if (info === undefined) throw new Error(`database not found: "${database}"`);
    const name = policy ?? info.DefaultRetentionPolicy;
    const target = info.RetentionPolicies.find(({ Name }) => Name === name);
    if (target === undefined) throw new Error(`retention policy not found: ${name}`);
    const id = shardFor(target, timeNs) ?? this.makeGroup(target, timeNs);
    // Shards are found by their id alone: a directory of that number is used, whoever's it was.
    const shard = this.disk.get(id) ?? { id, database, policy: name };
    this.disk.set(id, shard);
    this.loaded.set(id, shard);
    return id;
  }

  /** As the retention service does: marks the shard's group deleted and removes its files. */
  expire(shardId: bigint, atNs: bigint): void {
    const memory = this.running('expiring a shard');
    for (const group of memory.Databases.flatMap((each) =>
      each.RetentionPolicies.flatMap((policy) => policy.ShardGroups),
    )) {
      if (group.Shards.some(({ ID }) => ID === shardId)) group.DeletedAt = atNs;
    }
    this.commit();
    this.disk.delete(shardId);
    this.loaded.delete(shardId);
  }

  // ---- the port

  async ping(signal?: AbortSignal): Promise<{ version: string } | undefined> {
    await this.reach(signal);
    return this.memory && { version: this.options.version ?? '1.6.7' };
  }

  /** The message is shared between calls until the next change: look, don't write. */
  async readMemory(signal?: AbortSignal): Promise<Data> {
    await this.reach(signal);
    const memory = this.running('reading its metadata');
    this.view ??= clone(DataSchema, memory);
    return this.view;
  }

  async readFile(): Promise<MetaFile> {
    const bytes = this.fileBytes();
    if (bytes === undefined) return { kind: 'missing' };
    try {
      return { kind: 'found', data: decodeSnapshot(bytes), bytes: Buffer.from(bytes) };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { kind: 'invalid', reason: error.message };
    }
  }

  async loadedShards(signal?: AbortSignal): Promise<LoadedShard[]> {
    await this.reach(signal);
    this.running('listing its shards');
    return [...this.loaded.values()];
  }

  async internalDatabase(signal?: AbortSignal): Promise<string> {
    await this.reach(signal);
    this.running('asking for its monitoring database');
    return this.options.internalDatabase ?? '_internal';
  }

  async execute(statement: string, signal?: AbortSignal): Promise<StatementResult> {
    await this.reach(signal);
    await this.hooks.before?.(statement);
    await this.reach(signal);
    this.running(`running ${statement}`);
    this.statements.push(statement);
    const result = this.runWithFaults(statement);
    await this.hooks.after?.(statement, result);
    await this.reach(signal);
    // Killed between the statement and its answer: nobody hears of the outcome.
    this.running(`running ${statement}`);
    return result;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  // ---- inside

  private runWithFaults(statement: string): StatementResult {
    const index = this.faults.findIndex(({ matching }) => matching.test(statement));
    const [fault] = index < 0 ? [] : this.faults.splice(index, 1);
    if (fault?.kind === 'refuse') return { kind: 'refused', text: fault.text };
    if (fault?.kind === 'lose-request')
      throw unreachable('running a statement on influxd', fault.text);
    const result = this.run(statement);
    if (fault?.kind === 'lose-reply')
      throw unreachable('running a statement on influxd', fault.text);
    return result;
  }

  /** Waits while frozen. Throws AppError `aborted` when the signal fires first. */
  private async reach(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) throw aborted();
    if (this.thawed) await untilAborted(this.thawed, signal);
  }

  private running(what: string): Data {
    if (this.memory === undefined) throw unreachable(`${what} on influxd`, GONE);
    return this.memory;
  }

  private setMemory(memory: Data): void {
    // influxd drops the node lists when it loads them.
    this.memory = Object.assign(memory, { Nodes: [], DataNodes: [], MetaNodes: [], MaxNodeID: 0n });
    this.view = undefined;
  }

  private commit(): void {
    const memory = this.running('committing');
    memory.Index += 1n;
    this.view = undefined;
    this.saveFile();
  }

  private saveFile(): void {
    this.view ??= clone(DataSchema, this.running('saving meta.db'));
    this.file = this.view;
  }

  private freshData(): Data {
    return Object.assign(emptyData(), { Index: 1n, ClusterID: this.randomId() });
  }

  private makeGroup(policy: RetentionPolicyInfo, timeNs: bigint): bigint {
    const id = addGroup(this.running('making a shard group'), policy, timeNs);
    this.commit();
    return id;
  }

  private randomId(): bigint {
    const random = this.options.random ?? Math.random;
    return BigInt(Math.floor(random() * 2 ** 52)) + 1n;
  }

  /** A drop closes and removes the shards whose *directories* bear the name, before the metadata changes. */
  private unloadShards(memory: Data, command: Command): void {
    if (command.kind !== 'drop-database' && command.kind !== 'drop-policy') return;
    const info = memory.Databases.find(({ Name }) => Name === command.database);
    const policy = command.kind === 'drop-policy' ? command.policy : undefined;
    if (!info) return;
    if (policy !== undefined && !info.RetentionPolicies.some(({ Name }) => Name === policy)) return;
    for (const shard of [...this.disk.values()]) {
      if (shard.database !== command.database) continue;
      if (policy !== undefined && shard.policy !== policy) continue;
      this.disk.delete(shard.id);
      this.loaded.delete(shard.id);
    }
  }
}

function aborted(): AppError {
  return new AppError('aborted', 'talking to influxd: stopped');
}

function untilAborted(wait: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      reject(aborted());
    };
    signal?.addEventListener('abort', abort, { once: true });
    void wait.then(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
  });
}
