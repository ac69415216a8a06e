// The state directory: one holder, one identity for ever, sessions noted before they are used, never another cluster's.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { renewStateDirectory, StateDirectory } from '../../../../agent/state/state-directory.js';
import { silentLogger } from '../../../../shared/log/logger.js';
import { eventually } from '../../../support/eventually.js';
import type { TemporaryDirectory } from '../../../support/temp-dir.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';
import { errorOf } from '../manager-api/errors.js';

describe('the state directory', () => {
  let temporary: TemporaryDirectory;
  let path: string;
  beforeEach(async () => {
    temporary = await temporaryDirectory('state');
    path = join(temporary.path, 'agent');
  });
  afterEach(async () => {
    await temporary.remove();
  });

  const open = (cluster = 'a') => StateDirectory.open({ path, cluster, logger: silentLogger() });

  async function withState<T>(
    use: (state: StateDirectory) => Promise<T> | T,
    cluster = 'a',
  ): Promise<T> {
    const state = await open(cluster);
    try {
      return await use(state);
    } finally {
      await state.close();
    }
  }

  it('makes a uid once and keeps it', async () => {
    const uid = await withState(({ identity }) => identity.uid);
    expect(uid).to.match(/^[0-9a-f-]{36}$/);
    expect(await withState(({ identity }) => identity.uid)).to.equal(uid);
  });

  it('notes each session before it is used, until one is confirmed', async () => {
    const first = await withState((state) => state.beginSession());
    const second = await withState((state) => state.beginSession());
    expect(second).to.not.equal(first);
    await withState(async (state) => {
      expect(state.identity.candidates).to.deep.equal([first, second]);
      expect(state.identity.confirmedSession).to.equal(undefined);
      await state.confirm(second, 7);
    });
    expect(await withState(({ identity }) => identity)).to.deep.include({
      nodeId: 7,
      confirmedSession: second,
      // A store that was restored from a backup may have an earlier one.
      candidates: [first, second],
    });
  });

  it('is held by one process, which is named to the second', async () => {
    const state = await open();
    const error = await errorOf(open());
    expect(error.code).to.equal('already-running');
    expect(error.message).to.include(path).and.include(`process ${process.pid}`);
    await state.close();
    await withState(() => undefined);
  });

  it('is free again after a kill -9', async () => {
    const script = `
      import { StateDirectory } from './agent/state/state-directory.ts';
      import { silentLogger } from './shared/log/logger.ts';
      const [, path] = process.argv;
      const state = await StateDirectory.open({ path, cluster: 'a', logger: silentLogger() });
      console.log(await state.beginSession());
      setInterval(() => undefined, 1000);`;
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script, path],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    expect(await errorOf(open())).to.have.property('code', 'already-running');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const candidates = await eventually(() => withState(({ identity }) => identity.candidates));
    expect(candidates).to.deep.equal([line.toString().trim()]);
  });

  it('refuses another cluster once it has registered, and says how to change it', async () => {
    await withState(async (state) => {
      await state.confirm(await state.beginSession(), 1);
    });
    const error = await errorOf(open('b'));
    expect(error.code).to.equal('config-invalid');
    expect(error.message)
      .to.include('belongs to cluster a')
      .and.include('clusterflux agent rejoin --cluster b');
    await withState(() => undefined); // and nothing was locked or changed by that
  });

  it('takes another cluster as long as no manager can know it', async () => {
    await withState(() => undefined);
    expect(await withState(({ identity }) => identity.cluster, 'b')).to.equal('b');
  });

  it('keeps the base', async () => {
    await withState(async (state) => {
      const base = await state.openBase();
      await base.append([{ record: 'joined' }]);
      await base.close();
    });
    await withState(async (state) => {
      const base = await state.openBase();
      expect(base.state.joining).to.equal(undefined);
      await base.close();
    });
  });

  it('forgets base and identity on a renewal, and nothing else', async () => {
    const before = await withState(async (state) => {
      const base = await state.openBase();
      await base.append([{ record: 'joined' }]);
      await base.close();
      await state.confirm(await state.beginSession(), 1);
      return state.identity;
    });
    await writeFile(join(path, 'kept'), 'x');
    await renewStateDirectory(path, 'b');
    await withState(async (state) => {
      expect(state.identity.uid).to.not.equal(before.uid);
      expect(state.identity).to.include({ nodeId: undefined, confirmedSession: undefined });
      const base = await state.openBase();
      expect(base.state.joining).to.not.equal(undefined);
      await base.close();
    }, 'b');
    expect(await readFile(join(path, 'kept'), 'utf8')).to.equal('x');
  });

  it('renews a directory whose files are damaged, and none that is in use', async () => {
    const state = await open();
    expect(await errorOf(renewStateDirectory(path, 'a'))).to.have.property(
      'code',
      'already-running',
    );
    await state.close();
    await writeFile(join(path, 'identity.json'), '{"uid":');
    await writeFile(join(path, 'base.log'), 'damaged');
    const error = await errorOf(open());
    expect(error.code).to.equal('state-not-current');
    expect(error.message).to.include('identity.json').and.include('clusterflux agent rejoin');
    await renewStateDirectory(path, 'a');
    await withState(async (renewed) => (await renewed.openBase()).close());
  });

  it('says that it can not be written, and names --state-dir', async () => {
    await writeFile(join(temporary.path, 'file'), '');
    path = join(temporary.path, 'file', 'agent');
    const error = await errorOf(open());
    expect(error.code).to.equal('state-unwritable');
    expect(error.message).to.include(path).and.include('--state-dir');
    if (process.getuid?.() === 0) return; // root may write everywhere
    path = join(temporary.path, 'readonly');
    await mkdir(path);
    await chmod(path, 0o500);
    expect((await errorOf(open())).message).to.include('--state-dir');
    await chmod(path, 0o700);
    await rm(path, { recursive: true });
  });
});
