// The command line itself, and the commands that ask nobody.
import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temp-dir.js';
import { run } from './support.js';

describe('clusterflux', () => {
  const paths = [
    [],
    ['manager'],
    ['manager', 'run'],
    ['agent'],
    ['agent', 'run'],
    ['nodes'],
    ['nodes', 'list'],
    ['nodes', 'get'],
    ['nodes', 'forget'],
    ['clusters'],
    ['clusters', 'list'],
    ['clusters', 'get'],
    ['clusters', 'delete'],
    ['versions'],
    ['versions', 'list'],
    ['versions', 'get'],
    ['versions', 'diff'],
    ['meta'],
    ['meta', 'show'],
    ['meta', 'export'],
    ['status'],
    ['config'],
    ['config', 'print'],
    ['config', 'check'],
    ['config', 'sample'],
    ['version'],
  ];
  for (const path of paths) {
    it(`shows help for \`${['clusterflux', ...path].join(' ')}\` on stdout, with 0`, async () => {
      const { exitCode, stdout, stderr } = await run([...path, '--help']);
      expect([exitCode, stderr]).to.deep.equal([0, '']);
      expect(stdout).to.include(`Usage: ${['clusterflux', ...path].join(' ')}`);
      const isNoun =
        path.length === 0 ||
        ['nodes', 'clusters', 'versions', 'meta', 'config'].includes(path.join(' '));
      if (!isNoun) expect(stdout).to.include('Example:\n  ');
    });
  }

  const wrong: [string[], RegExp][] = [
    [['nope'], /unknown command 'nope'/],
    [['nodes'], /Usage: clusterflux nodes/],
    [['nodes', 'lst'], /Did you mean list/],
    [['agent', 'nope'], /too many arguments/],
    [['nodes', 'get'], /missing required argument 'node'/],
    [['nodes', 'list', '--nope'], /unknown option '--nope'/],
    [['nodes', 'list', '-o', 'xml'], /--output takes table, wide or json, got "xml"/],
    [['nodes', 'list', '--timeout', '5'], /--timeout takes a duration such as 10s, got "5"/],
    [['nodes', 'list', '--manager', '127.0.0.1:8000'], /--manager takes a URL/],
    [['nodes', 'list', '--cluster', '..'], /the cluster name is "\.\."/],
    [['nodes', 'forget', '3'], /deregisters node 3 of cluster default; add --yes/],
    [['versions', 'get', 'x'], /a version is a whole number from 1, got "x"/],
    [['versions', 'diff', '1', 'live:x'], /a node is named by its number/],
    [['agent', '--join', 'never'], /^clusterflux: --join: agent\.join: expected one of/],
    [['manager', '--bind-address', ':8000'], /manager\.insecure = true/],
  ];
  for (const [args, sentence] of wrong) {
    it(`answers \`${args.join(' ')}\` with 2 and a reason on stderr alone`, async () => {
      const { exitCode, stdout, stderr } = await run(args);
      expect([exitCode, stdout]).to.deep.equal([2, '']);
      expect(stderr).to.match(sentence);
      expect(stderr).not.to.match(/^ +at /m);
    });
  }

  it('tells its version to people and programs', async () => {
    expect((await run(['version'])).stdout).to.match(
      /^clusterflux \d+\.\d+\.\d+ \(commit .*, Node\.js \d+/,
    );
    const json = JSON.parse((await run(['version', '-o', 'json'])).stdout) as Record<
      string,
      unknown
    >;
    expect(json).to.have.keys('version', 'commit', 'node');
  });
});

describe('clusterflux config', () => {
  let directory: TemporaryDirectory;
  beforeEach(async () => {
    directory = await temporaryDirectory('cli');
  });
  afterEach(() => directory.remove());

  it('prints each key with its value and source', async () => {
    await writeFile(join(directory.path, 'config.toml'), '[etcd]\nttl = "3s"');
    const given = { directory: directory.path, env: { CLUSTER: 'plant' } };
    const { exitCode, stdout } = await run(['config', 'print'], given);
    expect(exitCode).to.equal(0);
    expect(stdout).to.match(/^etcd\.ttl +"3s" +file .*config\.toml$/m);
    expect(stdout).to.match(/^agent\.cluster +"plant" +environment CLUSTER$/m);
    expect(stdout).to.match(/^log\.level +"info" +default$/m);
    const json = JSON.parse((await run(['config', 'print', '-o', 'json'], given)).stdout) as {
      key: string;
    }[];
    expect(json.find((each) => each.key === 'agent.cluster')).to.deep.equal({
      key: 'agent.cluster',
      value: 'plant',
      source: 'environment CLUSTER',
    });
  });

  it('checks a file, and names what is wrong with it in one line', async () => {
    const file = join(directory.path, 'x.toml');
    await writeFile(file, '[etcd]\nttl = "3s"');
    expect(await run(['config', 'check', '--config', file])).to.deep.equal({
      exitCode: 0,
      stdout: `${file} is valid\n`,
      stderr: '',
    });
    await writeFile(file, '[etcd]\ntttl = "3s"');
    expect(await run(['--config', file, 'config', 'check'])).to.deep.equal({
      exitCode: 2,
      stdout: '',
      stderr: `clusterflux: ${file}: there is no key etcd.tttl; did you mean etcd.ttl?\n`,
    });
  });

  it('checks what the programs would refuse when they start', async () => {
    const file = join(directory.path, 'x.toml');
    await writeFile(file, '[agent]\nbind-address = ":8888"');
    const { exitCode, stderr } = await run(['config', 'check', '--config', file]);
    expect(exitCode).to.equal(2);
    expect(stderr).to.include('agent.insecure = true');
  });

  it('shows where an error came from only with --debug', async () => {
    const args = ['config', 'check', '--config', join(directory.path, 'none.toml')];
    expect((await run(args)).stderr.trimEnd().split('\n')).to.have.length(1);
    expect((await run([...args, '--debug'])).stderr)
      .to.match(/^ +at /m)
      .and.to.include('caused by');
  });

  it('prints a sample that is valid', async () => {
    const file = join(directory.path, 'sample.toml');
    await writeFile(file, (await run(['config', 'sample'])).stdout);
    expect((await run(['config', 'check', '--config', file])).exitCode).to.equal(0);
  });
});
