import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  newInfluxd,
  parentOf,
  processNumbers,
  watchEnd,
} from '../../../../agent/influxd/process-end.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../support/temp-dir.js';

describe('the end of a process', () => {
  const { signal } = new AbortController();

  it('is seen at once, also where nobody has taken notice of it yet', async () => {
    // A child that has exited is a zombie until this process turns to it.
    const child = spawn('sleep', ['60']);
    let isEnded = false;
    const watching = watchEnd({
      procDir: '/proc',
      pid: child.pid ?? 0,
      deadlineMs: 5_000,
      signal,
      onEnd: () => (isEnded = true),
    });
    expect(isEnded).to.equal(false);
    child.kill('SIGKILL');
    expect(await watching).to.equal(true);
    expect(isEnded).to.equal(true);
  });

  it('is not waited for beyond the deadline, nor once the agent stops', async () => {
    const stop = new AbortController();
    const onEnd = () => expect.fail('this process has not ended');
    const self = { procDir: '/proc', pid: process.pid, onEnd };
    expect(await watchEnd({ ...self, deadlineMs: 20, signal })).to.equal(false);
    stop.abort();
    const aborted = { ...self, deadlineMs: 60_000, signal: stop.signal };
    expect(await watchEnd(aborted)).to.equal(false);
  });

  it('throws what is thrown in that moment', async () => {
    const gone = { procDir: '/nowhere', pid: 1, deadlineMs: 1_000, signal };
    const onEnd = () => {
      throw new Error('no space left');
    };
    const error: unknown = await watchEnd({ ...gone, onEnd }).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'no space left');
  });

  describe('and who comes after it', () => {
    let proc: TemporaryDirectory;
    beforeEach(async () => {
      proc = await temporaryDirectory('proc');
    });
    afterEach(() => proc.remove());

    async function put(pid: number, name: string, state = 'S', parent = 1): Promise<void> {
      await mkdir(join(proc.path, String(pid)), { recursive: true });
      await writeFile(
        join(proc.path, String(pid), 'stat'),
        `${pid} (${name}) ${state} ${parent} 1`,
      );
    }

    it('is an influxd that was not there before, or into which its parent has turned', async () => {
      await put(10, 'influxd', 'S', 9);
      await put(9, 'bash');
      const known = processNumbers(proc.path);
      expect([...known].sort()).to.deep.equal(['10', '9']);
      expect(parentOf(proc.path, 10)).to.equal('9');
      expect(newInfluxd(proc.path, known, '9')).to.equal(undefined);
      await put(11, 'bash');
      await put(12, 'influxd', 'Z');
      expect(newInfluxd(proc.path, known, '9')).to.equal(undefined);
      await put(13, 'influxd');
      expect(newInfluxd(proc.path, known, '9')).to.equal('13');
      await put(13, 'ended', 'Z');
      await put(9, 'influxd');
      expect(newInfluxd(proc.path, known, '9')).to.equal('9');
    });
  });
});
