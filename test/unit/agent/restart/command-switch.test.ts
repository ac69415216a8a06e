// What counts as stopped after a stop command, beside other influxds and where processes are hidden.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RunState } from '../../../../agent/influxd/stopped.js';
import { commandSwitch } from '../../../../agent/restart/command-switch.js';
import { systemClock } from '../../../../shared/lifecycle/clock.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../support/temp-dir.js';

const OURS: RunState = { kind: 'running', why: 'process 7', pid: 7 };
const unseen = (pid: number): RunState => ({ kind: 'unknown', why: `process ${pid}`, pid });

describe('stopping influxd by a command', () => {
  let directory: TemporaryDirectory;
  beforeEach(async () => {
    directory = await temporaryDirectory('command-switch');
  });
  afterEach(() => directory.remove());

  /** Stops, with these processes before and these states after; resolves to the influxds that were taken for others. */
  async function stop(before: RunState[], after: RunState[]): Promise<number[]> {
    const { signal } = new AbortController();
    let taken: number[] = [];
    const hooks: string[] = [];
    const way = commandSwitch({
      stopCommand: `echo stopped > ${join(directory.path, 'done')}`,
      startCommand: 'true',
      outputFile: join(directory.path, 'output'),
      processes: async () => before,
      runState: async (others) => {
        taken = [...others];
        return after.shift() ?? expect.fail('asked too often');
      },
      ping: async () => undefined,
      clock: systemClock(),
    });
    const beforeStop = async () => void hooks.push('before');
    await way.stop({ beforeStop, whenEnded: () => hooks.push('ended') }, signal);
    expect(hooks).to.deep.equal(['before', 'ended']);
    return taken;
  }

  it('waits until it has ended, also where the command returns before', async () => {
    expect(await stop([OURS], [OURS, OURS, { kind: 'stopped' }])).to.deep.equal([]);
  });

  it('takes influxds that nobody can look into for others, where its own is seen', async () => {
    expect(await stop([OURS, unseen(8), unseen(9)], [{ kind: 'stopped' }])).to.deep.equal([8, 9]);
  });

  it('takes the only one for its own, which has to end', async () => {
    expect(await stop([unseen(8)], [unseen(8), { kind: 'stopped' }])).to.deep.equal([]);
  });

  it('takes the word of the command where processes are hidden', async () => {
    const hidden: RunState = { kind: 'unknown', why: 'a container', isHidden: true };
    expect(await stop([hidden], [hidden])).to.deep.equal([]);
  });

  it('stops none where nobody could tell afterwards which one has ended', async () => {
    const error: unknown = await stop([unseen(8), unseen(9)], []).catch((e: unknown) => e);
    expect(error).to.have.property('code', 'influxd-running');
    const done = await readFile(join(directory.path, 'done')).catch(() => undefined);
    expect(done).to.equal(undefined);
  });
});
