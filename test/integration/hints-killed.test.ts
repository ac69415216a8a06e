// A real process that keeps and delivers hints is killed (SIGKILL) at the steps of its log, again and again over the same
// directory: in the end every hint that was acknowledged was delivered, in order, and none was called lost.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { TemporaryDirectory } from '../support/temp-dir.js';
import { temporaryDirectory } from '../support/temp-dir.js';

const PROGRAM = fileURLToPath(new URL('../support/gateway/hint-process.ts', import.meta.url));

const STEPS = [
  'handoff.append.written:3',
  'handoff.append.synced:5',
  'handoff.rotate.sealed:2',
  'handoff.replay.answered:3',
  'handoff.replay.done',
  'handoff.delete.noted',
];
const HINTS = 100;

describe('hints of a process that is killed', () => {
  let directory: TemporaryDirectory;
  before(async () => {
    directory = await temporaryDirectory('hints-killed');
  });
  after(() => directory.remove());

  async function live(from: number, count: number, failpoint: string): Promise<string[]> {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', PROGRAM, directory.path, String(from), String(count)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, CLUSTERFLUX_FAILPOINT: failpoint },
      },
    );
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const signal = await new Promise((resolve) =>
      child.once('close', (_code, by) => {
        resolve(by);
      }),
    );
    expect(signal, text).to.equal(failpoint === '' ? null : 'SIGKILL');
    return text.split('\n').filter((line) => line !== '');
  }

  it('all arrive, at least once and in order', async () => {
    const said: string[] = [];
    let from = 0;
    for (const step of STEPS) {
      said.push(...(await live(from, HINTS, step)));
      from += HINTS;
    }
    said.push(...(await live(from, 0, '')));
    const numbers = (word: string) =>
      said.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.slice(5)));
    const sent = numbers('sent');
    expect(said.at(-1)).to.equal('empty');
    expect(said.filter((line) => /^(lost|refused)/.test(line))).to.deep.equal([]);
    expect(numbers('kept').length).to.be.above(STEPS.length);
    expect(sent).to.include.members(numbers('kept'));
    const last = [...new Set([...sent].reverse())].reverse();
    expect(last).to.deep.equal([...last].sort((a, b) => a - b));
  }).timeout(60_000);
});
