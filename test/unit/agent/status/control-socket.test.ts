// The socket through which local commands reach the agent: its user's alone, and honest about an agent that is not there.
import { stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RestartRequest } from '../../../../agent/restart/restarts.js';
import { askForRestart, askForSync } from '../../../../agent/status/control-client.js';
import type { ControlServerDeps } from '../../../../agent/status/control-server.js';
import { ControlServer } from '../../../../agent/status/control-server.js';
import type { TickMode, TickReport } from '../../../../agent/sync/port.js';
import { LIVE_MODE } from '../../../../agent/sync/port.js';
import { AppError } from '../../../../shared/errors/app-error.js';
import { memoryLogger } from '../../../../shared/log/logger.js';
import { keyOf } from '../../../../shared/meta/model.js';
import type { TemporaryDirectory } from '../../../support/temp-dir.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';
import { errorOf } from '../manager-api/errors.js';

const object = keyOf({ kind: 'policy', path: ['d', 'p'] });
const REPORT: TickReport = {
  outcome: 'changed',
  sentence: 'pushed one change',
  version: 5,
  inStep: false,
  pending: [{ object, reason: 'r', remedy: '' }],
  held: [{ id: 'i', object, kind: 'join', why: 'w', command: 'c' }],
  steps: [{ object, direction: 'push', text: 't' }],
};

describe("the agent's socket", () => {
  let directory: TemporaryDirectory;
  let server: ControlServer;
  const modes: TickMode[] = [];
  const logger = memoryLogger();

  beforeEach(async () => {
    modes.length = 0;
    directory = await temporaryDirectory('socket');
  });
  afterEach(async () => {
    await server.stop();
    await directory.remove();
  });

  async function start(more: Partial<ControlServerDeps> = {}): Promise<void> {
    server = new ControlServer({
      path: join(directory.path, 'agent.sock'),
      logger,
      sync: async (mode) => (modes.push(mode), REPORT),
      restart: async ({ way, dryRun }) => ({
        kind: dryRun ? 'would-restart' : 'restarted',
        objects: [way ?? 'as configured'],
      }),
      status: () => ({ sentence: 's' }) as ReturnType<ControlServerDeps['status']>,
      metadata: async () => Buffer.from('bytes'),
      ...more,
    });
    await server.start();
  }

  const options = (deadlineMs = 5_000) => ({
    stateDir: directory.path,
    deadlineMs,
    signal: new AbortController().signal,
  });

  function get(method: string, path: string, body = ''): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const socketPath = join(directory.path, 'agent.sock');
      const outgoing = request({ socketPath, method, path, agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: text });
        });
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  it('hands a sync to the agent and its report back, unchanged', async () => {
    await start();
    for (const mode of [
      LIVE_MODE,
      { ...LIVE_MODE, push: false },
      { ...LIVE_MODE, pull: false, dryRun: true },
    ]) {
      const asked = await askForSync(mode, options());
      expect(asked).to.deep.equal({ kind: 'answered', value: REPORT });
      expect(modes.at(-1)).to.deep.equal(mode);
    }
  });

  it('hands a restart to the agent and its answer back', async () => {
    await start();
    const ask = (request: RestartRequest) => askForRestart(request, options());
    expect(await ask({ way: 'signal', dryRun: true })).to.deep.equal({
      kind: 'answered',
      value: { kind: 'would-restart', objects: ['signal'] },
    });
    expect(await ask({ way: undefined, dryRun: false })).to.deep.equal({
      kind: 'answered',
      value: { kind: 'restarted', objects: ['as configured'] },
    });
    const refused = await get('POST', '/restart', '{"way":"by force"}');
    expect(refused.status).to.equal(400);
  });

  it('gives status and metadata', async () => {
    await start();
    expect(JSON.parse((await get('GET', '/status')).body)).to.deep.equal({ sentence: 's' });
    expect(await get('GET', '/metadata')).to.deep.equal({ status: 200, body: 'bytes' });
  });

  it("can be opened by the agent's user alone, also where a killed agent left one", async () => {
    await writeFile(join(directory.path, 'agent.sock'), 'left behind');
    const mask = process.umask(0);
    try {
      await start();
    } finally {
      process.umask(mask);
    }
    const found = await stat(join(directory.path, 'agent.sock'));
    expect(found.isSocket()).to.equal(true);
    expect(found.mode & 0o777).to.equal(0o600);
  });

  it('refuses what is no request in one sentence', async () => {
    await start();
    for (const body of ['{', '{"mode":"sideways"}', '{"unknown":1}', 'x'.repeat(100_000)]) {
      const answer = await get('POST', '/sync', body);
      expect(answer.status, body.slice(0, 20)).to.equal(400);
      expect(JSON.parse(answer.body)).to.have.property('code', 'body-invalid');
    }
    expect(modes).to.deep.equal([]);
    expect((await get('GET', '/nothing')).status).to.equal(404);
  });

  it('passes on why the agent could not', async () => {
    await start({
      metadata: async () => {
        throw new AppError('influxd-unreachable', 'influxd does not answer', { status: 502 });
      },
      sync: async () => {
        throw new Error('unexpected');
      },
    });
    const answer = await get('GET', '/metadata');
    expect(answer.status).to.equal(502);
    expect(JSON.parse(answer.body)).to.include({
      code: 'influxd-unreachable',
      detail: 'influxd does not answer',
    });
    expect((await errorOf(askForSync(LIVE_MODE, options()))).message).to.include('unexpected');
  });

  it('tells that no agent runs: no socket, or one of a killed agent', async () => {
    await start();
    await server.stop();
    expect(await askForSync(LIVE_MODE, options())).to.deep.equal({ kind: 'no-agent' });
  });

  it('waits for no answer longer than asked, and stops at once', async () => {
    let isEnded = false;
    await start({
      sync: (_mode, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            isEnded = true;
            reject(new AppError('aborted', 'stopped'));
          });
        }),
    });
    expect(await errorOf(askForSync(LIVE_MODE, options(30)))).to.have.property('code', 'timeout');
    await server.stop();
    expect(isEnded).to.equal(true);
  });

  it('is done without where its path is longer than a socket may have', async () => {
    await start({ path: join(directory.path, 'x'.repeat(120), 'agent.sock') });
    expect(logger.lines.at(-1)?.message).to.include('path of its socket is too long');
  });
});
