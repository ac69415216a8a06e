import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import type { RunState } from '../../../../agent/influxd/stopped.js';
import { influxdRunState } from '../../../../agent/influxd/stopped.js';
import { freePort } from '../../../support/free-port.js';
import type { TemporaryDirectory } from '../../../support/temp-dir.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';

interface FakeProcess {
  readonly name?: string;
  readonly state?: string;
  readonly exe?: string;
  readonly cmdline?: string[];
  /** Undefined: not readable, as another user's. */
  readonly environ?: string[] | undefined;
}

describe('whether influxd is stopped', () => {
  let directory: TemporaryDirectory;
  let procDir: string;
  let metaDir: string;
  beforeEach(async () => {
    directory = await temporaryDirectory('proc');
    procDir = join(directory.path, 'proc');
    metaDir = join(directory.path, 'influxdb/meta');
    await mkdir(metaDir, { recursive: true });
    await put('proc/self/mounts', 'proc /proc proc rw,relatime 0 0\n');
    await link('proc/self/ns/pid', 'pid:[4026531836]');
  });
  afterEach(() => directory.remove());

  async function put(path: string, text: string): Promise<string> {
    const file = join(directory.path, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    return file;
  }

  async function link(path: string, target: string): Promise<void> {
    const file = join(directory.path, path);
    await mkdir(dirname(file), { recursive: true });
    await symlink(target, file);
  }

  async function addProcess(pid: number, fake: FakeProcess): Promise<void> {
    const base = `proc/${pid}`;
    await put(`${base}/stat`, `${pid} (${fake.name ?? 'influxd'}) ${fake.state ?? 'S'} 1 1`);
    await put(`${base}/cmdline`, (fake.cmdline ?? ['influxd']).join('\0'));
    if (fake.environ !== undefined) await put(`${base}/environ`, fake.environ.join('\0'));
    if (fake.exe !== undefined) await link(`${base}/exe`, fake.exe);
    await link(`${base}/root`, '/');
    await link(`${base}/cwd`, directory.path);
  }

  async function look(
    options: { url?: string; snapshotPort?: number; metaDir?: string } = {},
  ): Promise<RunState> {
    return influxdRunState({
      url: options.url ?? `http://127.0.0.1:${await freePort()}`,
      snapshotAddress: { host: '127.0.0.1', port: options.snapshotPort ?? (await freePort()) },
      metaDir: options.metaDir ?? metaDir,
      procDir,
    });
  }

  it('is stopped where both ports refuse and no influxd is among the processes', async () => {
    await addProcess(10, { name: 'bash', environ: [] });
    expect(await look()).to.deep.equal({ kind: 'stopped' });
  });

  it('is running where a port answers', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      expect(await look({ url: `http://127.0.0.1:${port}` })).to.have.property('kind', 'running');
      const state = await look({ snapshotPort: port });
      expect(state).to.deep.equal({
        kind: 'running',
        why: `something listens on 127.0.0.1:${port}`,
      });
    } finally {
      server.close();
    }
  });

  for (const [how, make] of [
    [
      'a configuration file',
      async () => ({
        cmdline: ['influxd', '-config', await put('i.conf', `[meta]\n dir = "${metaDir}"\n`)],
      }),
    ],
    [
      '--config= after run',
      async () => ({
        cmdline: ['influxd', 'run', `--config=${await put('i.conf', `[meta]\ndir='${metaDir}'`)}`],
      }),
    ],
    [
      'a relative configuration and directory',
      async () => {
        await put('etc/i.conf', '[meta]\ndir = "influxdb/meta"\n');
        return { cmdline: ['influxd', '-config', 'etc/i.conf'] };
      },
    ],
    [
      'INFLUXDB_CONFIG_PATH',
      async () => ({
        environ: [`INFLUXDB_CONFIG_PATH=${await put('i.conf', `[meta]\ndir = "${metaDir}"`)}`],
      }),
    ],
    [
      'INFLUXDB_META_DIR, which beats the file',
      async () => ({
        environ: [`INFLUXDB_META_DIR=${metaDir}`],
        cmdline: ['influxd', '-config', await put('i.conf', '[meta]\ndir = "/elsewhere"')],
      }),
    ],
    [
      'its program, under another name',
      async () => ({
        name: 'renamed',
        exe: '/usr/bin/influxd',
        environ: [`INFLUXDB_META_DIR=${metaDir}`],
      }),
    ],
    [
      'a symbolic link',
      async () => {
        await link('linked', metaDir);
        return { environ: [`INFLUXDB_META_DIR=${join(directory.path, 'linked')}`] };
      },
    ],
  ] as const satisfies readonly (readonly [string, () => Promise<FakeProcess>])[]) {
    it(`finds the influxd that still starts and listens nowhere, by ${how}`, async () => {
      await addProcess(42, { environ: ['HOME=/root'], ...(await make()) });
      expect(await look()).to.deep.equal({
        kind: 'running',
        why: `process 42 is an influxd on ${metaDir}`,
        pid: 42,
      });
    });
  }

  it('finds the default directory below HOME', async () => {
    const home = join(directory.path, 'home');
    const below = join(home, '.influxdb/meta');
    await mkdir(below, { recursive: true });
    await addProcess(42, {
      environ: [`HOME=${home}`, `INFLUXDB_CONFIG_PATH=${await put('empty.conf', '')}`],
    });
    expect(await look({ metaDir: below })).to.have.property('kind', 'running');
    expect(await look()).to.deep.equal({ kind: 'stopped' });
  });

  it('ignores an influxd on another directory, and one that has ended', async () => {
    await addProcess(42, { environ: [`INFLUXDB_META_DIR=${directory.path}`] });
    await addProcess(43, { state: 'Z', environ: [`INFLUXDB_META_DIR=${metaDir}`] });
    expect(await look()).to.deep.equal({ kind: 'stopped' });
  });

  it("does not know where an influxd can't be looked into", async () => {
    await addProcess(42, {});
    const state = await look();
    expect(state.kind === 'unknown' && state.why).to.match(
      /process 42 is an influxd, and user \S+ can't see/,
    );
  });

  it('does not know in a container, and where processes are not listed', async () => {
    const other = await temporaryDirectory('container');
    procDir = other.path;
    expect(await look()).to.have.property('kind', 'unknown');
    procDir = join(other.path, 'nowhere');
    expect(await look()).to.have.property('kind', 'unknown');
    await other.remove();
  });
});
