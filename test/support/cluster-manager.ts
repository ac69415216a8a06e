// One manager of a test cluster: a process with its configuration file, and its port and data kept over restarts.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cleanEnvironment } from './command.js';
import { freePort } from './free-port.js';
import { Program, type Ended, type Environment } from './program.js';
import { mergeConfig, renderToml, type ConfigTable } from './toml.js';

export interface MemberPlace {
  /** Counted from 0; names count from 1. */
  readonly index: number;
  /** For logs, ready and configuration files. */
  readonly dir: string;
  readonly dataDir: string;
  readonly launcher: string;
  readonly detached: boolean;
  /** Asked for at each start. */
  readonly config: () => Promise<ConfigTable>;
}

export class ClusterManager {
  readonly name: string;
  readonly configFile: string;
  /** Of the embedded store. */
  readonly storeDir: string;
  private readonly program: Program;
  private port = 0;

  constructor(private readonly place: MemberPlace) {
    const { dir, launcher, detached } = place;
    this.name = `manager-${place.index + 1}`;
    this.configFile = join(dir, `${this.name}.toml`);
    this.storeDir = join(place.dataDir, this.name);
    const readyFile = join(dir, `${this.name}.ready.json`);
    this.program = new Program({
      name: this.name,
      launcher,
      args: () => ['manager', '--config', this.configFile, '--ready-file', readyFile],
      env: cleanEnvironment(dir),
      cwd: dir,
      readyFile,
      logFile: join(dir, `${this.name}.log`),
      detached,
    });
  }

  /** The port is the same after a restart. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.program.pid;
  }

  /** Again, on the same port and data, where it has been stopped; `env` is for this start only. */
  async start(env: Environment = {}): Promise<void> {
    if (this.port === 0) this.port = await freePort();
    const config = mergeConfig(await this.place.config(), {
      manager: {
        'bind-address': `127.0.0.1:${this.port}`,
        'data-dir': this.storeDir,
      },
    });
    await writeFile(this.configFile, renderToml(config));
    await this.program.start(env);
  }

  stop(): Promise<Ended | undefined> {
    return this.program.stop();
  }

  kill9(): Promise<void> {
    return this.program.kill9();
  }

  pause(): void {
    this.program.pause();
  }

  resume(): void {
    this.program.resume();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  log(): Promise<string> {
    return this.program.log();
  }

  logTail(): Promise<string> {
    return this.program.logTail();
  }

  /** The body of a GET as JSON; throws for another status than 200. */
  async get<T>(path: string): Promise<T> {
    const answer = await fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(5_000) });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status} ${text}`);
    return JSON.parse(text) as T;
  }
}
