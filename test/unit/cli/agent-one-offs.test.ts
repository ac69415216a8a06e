// What agent sync, restore and rejoin print and exit with, whatever did the work.
import { expect } from 'chai';
import { Command } from 'commander';
import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import type { ApplyRestartOptions } from '../../../agent/commands/apply-restart.js';
import type { RestoreOptions } from '../../../agent/commands/restore.js';
import type { RestartAnswer } from '../../../agent/restart/restarts.js';
import type { TickMode, TickReport } from '../../../agent/sync/port.js';
import { agentApply } from '../../../cli/commands/agent-apply.js';
import { agentRejoin } from '../../../cli/commands/agent-rejoin.js';
import { agentRestore } from '../../../cli/commands/agent-restore.js';
import { agentSync } from '../../../cli/commands/agent-sync.js';
import type { Context } from '../../../cli/context.js';
import { AppError } from '../../../shared/errors/app-error.js';
import type { ObjectKey } from '../../../shared/meta/model.js';

class TextBuffer extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

describe('the one-off commands of the agent', () => {
  let stdout: TextBuffer;
  let stderr: TextBuffer;
  let context: Context;
  beforeEach(() => {
    stdout = new TextBuffer();
    stderr = new TextBuffer();
    const host = Object.assign(new EventEmitter(), { exit: () => undefined });
    context = {
      io: { stdout, stderr, env: { HOME: '/nonexistent' }, directory: '/nonexistent', host },
      options: {
        config: undefined,
        manager: undefined,
        tokenFile: undefined,
        timeoutMs: 1_000,
        output: 'table',
        debug: false,
      },
    };
  });

  const report = (outcome: TickReport['outcome']): TickReport => ({
    outcome,
    sentence: 'in step with default at version 3',
    version: 3,
    inStep: outcome === 'no-action',
    pending: [{ object: 'o' as ObjectKey, reason: 'user ann: a hash', remedy: 'restart it' }],
    held: [
      {
        id: 'h1',
        object: 'o' as ObjectKey,
        kind: 'join',
        why: 'database x: dropped elsewhere',
        command: 'approve it',
      },
    ],
    steps: [{ object: undefined, direction: 'apply', text: 'CREATE DATABASE x' }],
  });

  function sync(
    flags: Record<string, unknown>,
    outcome: TickReport['outcome'] | Error = 'no-action',
  ) {
    const command = new Command('sync');
    for (const [name, value] of Object.entries(flags)) command.setOptionValue(name, value);
    const asked: { mode: TickMode; waitMs: number }[] = [];
    const code = agentSync(context, command, async ({ mode, waitMs }) => {
      asked.push({ mode, waitMs });
      if (outcome instanceof Error) throw outcome;
      return report(outcome);
    });
    return { code, asked };
  }

  const exits: [TickReport['outcome'], number][] = [
    ['no-action', 0],
    ['changed', 0],
    ['failed', 1],
    ['blocked', 3],
    ['waiting', 8],
  ];
  for (const [outcome, exitCode] of exits) {
    it(`sync exits with ${exitCode} for ${outcome}, and with 0 with --best-effort`, async () => {
      expect(await sync({}, outcome).code).to.equal(exitCode);
      expect(await sync({ bestEffort: true }, outcome).code).to.equal(0);
    });
  }

  it('sync prints steps, what is pending and held, and the sentence; with -o json the report', async () => {
    await sync({}).code;
    expect(stdout.text).to.equal(
      [
        'apply: CREATE DATABASE x',
        'pending: user ann: a hash (restart it)',
        'held: database x: dropped elsewhere (approve it)',
        'in step with default at version 3',
        '',
      ].join('\n'),
    );
    stdout.text = '';
    context = { ...context, options: { ...context.options, output: 'json' } };
    await sync({}).code;
    expect(JSON.parse(stdout.text)).to.deep.include({ outcome: 'no-action', version: 3 });
  });

  it('sync goes both ways unless exactly one way is asked for', async () => {
    const modes: [Record<string, unknown>, Partial<TickMode>][] = [
      [{}, { push: true, pull: true, dryRun: false, offline: false }],
      [{ push: true }, { push: true, pull: false }],
      [
        { pull: true, dryRun: true },
        { push: false, pull: true, dryRun: true },
      ],
      [
        { push: true, pull: true, offline: true },
        { push: true, pull: true, offline: true },
      ],
    ];
    for (const [flags, mode] of modes) {
      const { code, asked } = sync(flags);
      await code;
      expect(asked[0]?.mode).to.deep.include(mode);
    }
  });

  it('sync takes how long to keep trying as a duration', async () => {
    const { code, asked } = sync({ wait: '20s' });
    await code;
    expect(asked[0]?.waitMs).to.equal(20_000);
    const error = await sync({ wait: '20' }).code.catch((reason: unknown) => reason);
    expect((error as AppError).message).to.match(/--wait takes a duration such as 20s, got "20"/);
  });

  it('sync passes trouble on, and with --best-effort says it and exits with 0', async () => {
    const trouble = new AppError('manager-unreachable', 'no manager answers');
    expect(await sync({}, trouble).code.catch((error: unknown) => error)).to.equal(trouble);
    expect(await sync({ bestEffort: true }, trouble).code).to.equal(0);
    expect(stderr.text).to.equal(
      'clusterflux: no manager answers (going on, because of --best-effort)\n',
    );
  });

  it('sync that is interrupted is not called a success', async () => {
    const aborted = new AppError('aborted', 'interrupted');
    expect(
      await sync({ bestEffort: true }, aborted).code.catch((error: unknown) => error),
    ).to.equal(aborted);
  });

  it('restore does nothing before it is told --yes, and shows what it is about to do', async () => {
    const confirmed: (boolean | undefined)[] = [];
    const restore = async ({ confirm }: RestoreOptions) => {
      confirmed.push(await confirm?.('a.db will be put in place'));
      return { sentence: 'done' };
    };
    const command = new Command();
    await agentRestore(context, command, undefined, restore);
    command.setOptionValue('yes', true);
    await agentRestore(context, command, undefined, restore);
    expect(confirmed).to.deep.equal([undefined, true]);
    expect(stderr.text).to.equal('a.db will be put in place\n');
  });

  it('restore and rejoin print their sentence', async () => {
    const files: (string | undefined)[] = [];
    await agentRestore(context, new Command(), 'a.db', async ({ file }) => {
      files.push(file);
      return { sentence: 'restored a.db' };
    });
    await agentRejoin(context, new Command(), async () => ({ sentence: 'joins anew' }));
    expect(files).to.deep.equal(['a.db']);
    expect(stdout.text).to.equal('restored a.db\njoins anew\n');
  });

  function apply(flags: Record<string, unknown>, answer: RestartAnswer) {
    const command = new Command('apply');
    for (const [name, value] of Object.entries(flags)) command.setOptionValue(name, value);
    const asked: ApplyRestartOptions['request'][] = [];
    const code = agentApply(context, command, async ({ request }) => {
      asked.push(request);
      return answer;
    });
    return { code, asked };
  }

  it('apply says what came of the restart, and exits by it', async () => {
    const objects = ['user ann', 'user bob'];
    const answers: [RestartAnswer, number, string][] = [
      [{ kind: 'nothing' }, 0, 'nothing waits for a restart of influxd'],
      [{ kind: 'restarted', objects }, 0, 'influxd was restarted, for user ann, user bob'],
      [{ kind: 'would-restart', objects }, 0, 'influxd would be restarted, for user ann, user bob'],
      [{ kind: 'waits', why: 'node 2 is down' }, 3, 'influxd was not restarted: node 2 is down'],
      [{ kind: 'failed', why: 'exit code 1' }, 1, 'restarting influxd failed: exit code 1'],
    ];
    for (const [answer, exitCode, text] of answers) {
      stdout.text = '';
      expect(await apply({ restart: true }, answer).code).to.equal(exitCode);
      expect(stdout.text).to.equal(`${text}\n`);
    }
  });

  it('apply has to be asked for the restart, and takes one of two ways', async () => {
    const { code, asked } = apply({ restart: 'signal', dryRun: true }, { kind: 'nothing' });
    expect([await code, asked]).to.deep.equal([0, [{ way: 'signal', dryRun: true }]]);
    for (const flags of [{}, { restart: 'by force' }]) {
      const error: unknown = await apply(flags, { kind: 'nothing' }).code.catch((e: unknown) => e);
      expect(error).to.have.property('code', 'usage');
    }
  });
});
