// One node of a test cluster: a real influxd and its agent, each started, stopped and killed by itself.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requestMetadata } from '../../agent/influxd/snapshot-client.js';
import type { StatusBody } from '../../agent/status/agent-status.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import type { Schema } from '../../shared/meta/model.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import type { MemberPlace } from './cluster-manager.js';
import { cleanEnvironment, runCommand, type CommandResult } from './command.js';
import { freePort } from './free-port.js';
import { startInfluxd, type InfluxdOptions, type TestInfluxd } from './influxd.js';
import { Program, type Environment } from './program.js';
import { mergeConfig, renderToml } from './toml.js';

export interface NodePlace extends MemberPlace {
  readonly cluster: string;
  readonly influxd: InfluxdOptions;
  /** The managers, asked for at each start of the agent. */
  readonly endpoints: () => Promise<readonly string[]>;
  /** The address that others are told of, given the port that the agent listens on; that one where absent. */
  readonly advertise?: ((port: number) => Promise<string>) | undefined;
}

const ASK_WITHIN_MS = 5_000;

export class ClusterNode {
  readonly name: string;
  readonly configFile: string;
  readonly stateDir: string;
  readonly agent: Program;
  private server: TestInfluxd | undefined;
  private port = 0;
  private gatewayPort = 0;

  constructor(private readonly place: NodePlace) {
    const { dir, index, launcher, detached } = place;
    this.name = `node-${index + 1}`;
    this.configFile = join(dir, `${this.name}.toml`);
    this.stateDir = join(place.dataDir, `agent-${index + 1}`);
    const readyFile = join(dir, `agent-${index + 1}.ready.json`);
    this.agent = new Program({
      name: `agent-${index + 1}`,
      launcher,
      args: () => ['agent', '--config', this.configFile, '--ready-file', readyFile],
      env: cleanEnvironment(dir),
      cwd: dir,
      readyFile,
      logFile: join(dir, `agent-${index + 1}.log`),
      detached,
    });
  }

  /** Throws before its first start. */
  get influxd(): TestInfluxd {
    if (this.server === undefined) throw new Error(`the influxd of ${this.name} was never started`);
    return this.server;
  }

  /** Of the agent's status server; the same after a restart. */
  get statusUrl(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Of the agent's gateway; the same after a restart. */
  get gatewayUrl(): string {
    return `http://127.0.0.1:${this.gatewayPort}`;
  }

  async startInfluxd(): Promise<void> {
    if (this.server !== undefined) return this.server.start();
    const dir = join(this.place.dataDir, this.name);
    this.server = await startInfluxd({ ...this.place.influxd, dir });
  }

  /** Resolves when it is ready: in step, or its ready timeout over. `env` is for this start only. */
  async startAgent(env: Environment = {}): Promise<void> {
    await this.writeConfig();
    await this.agent.start(env);
  }

  /** Starts it and waits for nothing: for an agent that can't get in step now. */
  async launchAgent(env: Environment = {}): Promise<void> {
    await this.writeConfig();
    await this.agent.launch(env);
  }

  async restartAgent(): Promise<void> {
    await this.agent.stop();
    await this.startAgent();
  }

  /** What the agent's `/status` says. */
  async status(): Promise<StatusBody> {
    const signal = AbortSignal.timeout(ASK_WITHIN_MS);
    const answer = await fetch(`${this.statusUrl}/status`, { signal });
    return (await answer.json()) as StatusBody;
  }

  /** What influxd has in memory, by its backup port. */
  async schema(): Promise<Schema> {
    const { snapshotPort: port } = this.influxd;
    const bytes = await requestMetadata({ host: '127.0.0.1', port }, { deadlineMs: ASK_WITHIN_MS });
    return readSchema(decodeSnapshot(bytes));
  }

  /** Runs `clusterflux …` with this node's configuration. */
  cli(...args: string[]): Promise<CommandResult> {
    const { launcher, dir } = this.place;
    return runCommand([...args, '--config', this.configFile], { launcher, cwd: dir });
  }

  /** Ends both at once; the files stay. */
  async end(): Promise<void> {
    await Promise.all([this.agent.kill9(), this.server?.kill9()]);
  }

  private async writeConfig(): Promise<void> {
    const { influxd, place } = this;
    if (this.port === 0) this.port = await freePort();
    if (this.gatewayPort === 0) this.gatewayPort = await freePort();
    const own = await place.config();
    const advertised = await place.advertise?.(this.port);
    const config = mergeConfig(own, {
      agent: {
        cluster: place.cluster,
        endpoints: await place.endpoints(),
        'state-dir': this.stateDir,
        'bind-address': `127.0.0.1:${this.port}`,
        ...(advertised === undefined ? {} : { 'advertise-address': advertised }),
        ...own['agent'],
      },
      influxdb: {
        url: influxd.url,
        'meta-dir': influxd.metaDir,
        'snapshot-address': influxd.snapshotAddress,
        ...own['influxdb'],
      },
      gateway: { 'bind-address': `127.0.0.1:${this.gatewayPort}`, ...own['gateway'] },
    });
    await writeFile(this.configFile, renderToml(config));
  }
}
