// Failpoints: what the environment variable may say, that each acts once, and that a release knows nothing of them.
import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failpoints, type FailpointHost } from '../../../../shared/failpoint/failpoint.js';
import { builtLauncher, type Bundle } from '../../../support/build.js';
import { failpointsIn } from '../../../support/fault/failpoints.js';

const BUILD_WITHIN_MS = 60_000;

/** What is done to the process is written down. */
function recordingHost(): FailpointHost & { readonly done: string[] } {
  const done: string[] = [];
  return {
    done,
    say: (line) => done.push(line),
    signal: async (name) => void done.push(name),
    sleep: async (ms) => void done.push(`${ms} ms`),
    untilReleased: async () => void done.push('held'),
  };
}

async function reach(text: string, ...names: string[]): Promise<string[]> {
  const host = recordingHost();
  const failpoints = new Failpoints(text, host);
  for (const name of names) await failpoints.reached(name);
  return host.done;
}

describe('a failpoint', () => {
  it('does nothing where the variable is empty or names another place', async () => {
    expect(await reach('', 'agent.push.noted')).to.deep.equal([]);
    expect(await reach('agent.push.planned', 'agent.push.noted')).to.deep.equal([]);
  });

  it('kills the process where nothing else is said, and says so first', async () => {
    expect(await reach('agent.push.noted', 'agent.push.noted')).to.deep.equal([
      'failpoint agent.push.noted reached: kill',
      'SIGKILL',
    ]);
  });

  it('acts at the nth time, and never again', async () => {
    const done = await reach('a.b:2=stop', 'a.b', 'a.b', 'a.b');
    expect(done).to.deep.equal(['failpoint a.b reached: stop', 'SIGSTOP']);
  });

  it('can delay, hold and throw, several at once', async () => {
    expect(await reach('a.b=delay:50,c.d=hold', 'c.d', 'a.b')).to.include.members([
      'held',
      '50 ms',
    ]);
    const thrown = await reach('a.b=throw', 'a.b').catch((error: unknown) => error);
    expect(String(thrown)).to.include('a.b');
  });

  for (const text of ['a.b=die', 'a.b:0', 'a.b=delay', 'A', 'a.b:2=delay:x']) {
    it(`refuses ${JSON.stringify(text)} in a sentence`, () => {
      expect(() => new Failpoints(text, recordingHost())).to.throw(/CLUSTERFLUX_FAILPOINT has/);
    });
  }
});

describe('the bundle', function () {
  this.timeout(BUILD_WITHIN_MS);
  const names = [...failpointsIn('agent'), ...failpointsIn('manager')];

  const textOf = async (bundle: Bundle): Promise<string> => {
    const lib = join(dirname(await builtLauncher(bundle)), '..', 'dist/lib');
    return readdirSync(lib)
      .map((file) => readFileSync(join(lib, file), 'utf8'))
      .join('\n');
  };

  it('of a release has neither the failpoints nor what reads their variable', async () => {
    const text = await textOf('release');
    expect(names.filter((name) => text.includes(name))).to.deep.equal([]);
    expect(text).not.to.include('CLUSTERFLUX_FAILPOINT');
  });

  it('of the fault tests has all of them', async () => {
    const text = await textOf('failpoints');
    expect(names).to.have.length.greaterThan(20);
    expect(names.filter((name) => !text.includes(name))).to.deep.equal([]);
  });
});
