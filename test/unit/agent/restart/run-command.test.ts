import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCommand, type CommandRun } from '../../../../agent/restart/run-command.js';
import { eventually } from '../../../support/eventually.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../support/temp-dir.js';

describe('a command of the configuration', () => {
  let directory: TemporaryDirectory;
  beforeEach(async () => {
    directory = await temporaryDirectory('command');
  });
  afterEach(() => directory.remove());

  const run = (command: string, more: Partial<CommandRun> = {}) =>
    runCommand({
      command,
      outputFile: join(directory.path, 'output'),
      deadlineMs: 5_000,
      signal: new AbortController().signal,
      ...more,
    });
  const file = (name: string) => join(directory.path, name);
  const pidIn = async (name: string) => Number(await readFile(file(name), 'utf8'));
  const isGone = (pid: number) => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  };

  it('ends well, or with its exit code and its last lines', async () => {
    expect(await run('true')).to.deep.equal({ kind: 'done' });
    const failed = await run('for i in 1 2 3 4 5 6 7; do echo line $i; done; echo why >&2; exit 3');
    expect(failed).to.deep.equal({
      kind: 'failed',
      why: 'exit code 3, output: line 4 | line 5 | line 6 | line 7 | why',
    });
  });

  it('is not waited for once it has left something in the background, which lives on', async () => {
    expect(await run(`sleep 60 & echo $! > ${file('pid')}`)).to.deep.equal({ kind: 'done' });
    const pid = await pidIn('pid');
    expect(isGone(pid)).to.equal(false);
    process.kill(pid, 'SIGKILL');
  });

  it('that stays is waited for until its purpose is reached, and lives on', async () => {
    const isDone = async () => (await pidIn('pid').catch(() => 0)) > 0;
    const end = await run(`echo $$ > ${file('pid')}; exec sleep 60`, { isDone });
    expect(end).to.deep.equal({ kind: 'done' });
    const pid = await pidIn('pid');
    expect(isGone(pid)).to.equal(false);
    process.kill(pid, 'SIGKILL');
  });

  it('that hangs is killed at its deadline, with all that it started', async () => {
    const command = `sleep 60 & echo $! > ${file('pid')}; echo hanging; wait`;
    const end = await run(command, { deadlineMs: 200 });
    expect(end)
      .to.have.property('why')
      .that.matches(/within 0.2 s.*output: hanging/);
    const pid = await pidIn('pid');
    await eventually(() => isGone(pid));
  });

  it('goes on by itself where the agent ends', async () => {
    const stop = new AbortController();
    stop.abort();
    const error: unknown = await run(`sleep 0.1; echo $$ > ${file('done')}`, {
      signal: stop.signal,
    }).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('code', 'aborted');
    expect(await eventually(() => pidIn('done'))).to.be.greaterThan(0);
  });
});
