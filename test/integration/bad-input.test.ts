// What bad input gets: one line that names the thing and the way out, the right exit code or status, and nothing changed.
import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandResult } from '../support/command.js';
import { useCluster } from '../support/cluster-suite.js';
import { curl } from '../support/curl.js';
import { freePort } from '../support/free-port.js';
import { snapshotWith } from '../support/snapshots.js';

const LONG_NAME = 'n'.repeat(256);

describe('bad input', function () {
  this.timeout(30_000);
  const cluster = useCluster({ nodes: 1, config: { manager: { 'max-snapshot-size': '64KiB' } } });
  let known = '';

  const clusters = async () => {
    const list = await cluster().managers[0]!.get<{ name: string; version: number }[]>('/clusters');
    return JSON.stringify(list.map(({ name, version }) => [name, version]));
  };

  before(async () => {
    await cluster().nodes[0]!.influxd.query('CREATE DATABASE "is there"');
    await cluster().converged();
  });
  beforeEach(async () => {
    await cluster().converged();
    known = await clusters();
  });
  afterEach('nothing changed', async () => {
    expect(await clusters()).to.equal(known);
  });

  /** One line on stderr, or two where the second says where help is. */
  function expectOneLine({ code, stderr }: CommandResult, exitCode: number, words: RegExp): void {
    expect({ code, stderr }).to.deep.include({ code: exitCode });
    const lines = stderr.trim().split('\n');
    const said = lines.filter(
      (line) => !/^\(add --help/.test(line) && !/ (INFO|WARN) /.test(line) && !line.startsWith('{'),
    );
    expect(said, stderr).to.have.lengthOf(1);
    expect(said[0])
      .to.match(/^clusterflux: /)
      .and.match(words);
    expect(stderr).to.not.match(/^ +at /m);
  }

  describe('in the configuration', () => {
    const cases: Record<string, { readonly file: string; readonly words: RegExp }> = {
      'an unknown key': { file: '[etcd]\ntttl = "2s"\n', words: /etcd\.tttl.*etcd\.ttl/ },
      'a wrong type': {
        file: '[manager]\nhistory = "ten"\n',
        words: /manager\.history.*whole number/,
      },
      'a bad duration': {
        file: '[agent]\nlong-poll = "5 minutes"\n',
        words: /agent\.long-poll.*duration/,
      },
      'a name that is too long': {
        file: `[agent]\ncluster = "${LONG_NAME}"\n`,
        words: /agent\.cluster.*255/,
      },
      'no TOML at all': { file: '{ json: true', words: /bad\.toml/ },
    };
    for (const [what, { file, words }] of Object.entries(cases)) {
      for (const program of ['manager', 'agent', 'config check']) {
        it(`${what} stops \`${program}\``, async () => {
          const path = join(cluster().dir, 'bad.toml');
          await writeFile(path, file);
          const result = await cluster().run([...program.split(' '), '--config', path]);
          expectOneLine(result, 2, words);
        });
      }
    }

    it('a file that is not there stops a program', async () => {
      const path = join(cluster().dir, 'missing.toml');
      expectOneLine(await cluster().run(['manager', '--config', path]), 2, /missing\.toml/);
    });
  });

  describe('on the machine', () => {
    it('a port in use stops a manager and an agent', async () => {
      const { host } = new URL(cluster().managers[0]!.url);
      const words = new RegExp(`(?=.*${host})(?=.*bind-address)`);
      const manager = ['manager', '--data-dir', join(cluster().dir, 'other')];
      expectOneLine(await cluster().run([...manager, '--bind-address', host]), 1, words);
      const agent = ['agent', '--state-dir', join(cluster().dir, 'other-agent')];
      expectOneLine(await cluster().run([...agent, '--bind-address', host]), 1, words);
    });

    it('a state directory that is a file stops an agent', async () => {
      const file = join(cluster().dir, 'a-file');
      await writeFile(file, '');
      expectOneLine(
        await cluster().cli('agent', '--bind-address', '127.0.0.1:0', '--state-dir', file),
        1,
        /(?=.*a-file)(?=.*state-dir)/,
      );
    });

    it('a meta directory that is not there ends an offline sync', async () => {
      const missing = join(cluster().dir, 'no', 'meta');
      const port = await freePort();
      const result = await cluster().cli(
        ...['agent', 'sync', '--offline', '--wait', '1s', '--meta-dir', missing],
        ...[
          '--influxdb-url',
          `http://127.0.0.1:${port}`,
          '--snapshot-address',
          `127.0.0.1:${port}`,
        ],
        ...[
          '--state-dir',
          join(cluster().dir, 'offline-agent'),
          '--endpoints',
          cluster().managers[0]!.url,
        ],
      );
      // What a sync did is its output; why it could not is for people.
      expect(result.code).to.equal(1);
      expect(result.stderr.trim().split('\n')).to.have.lengthOf(1);
      expect(result.stderr).to.match(/no\/meta.*influxdb\.meta-dir/);
      expect(result.stdout).to.equal('');
    });
  });

  describe('to operator commands', () => {
    const cases: readonly [string, readonly string[], number, RegExp][] = [
      ['an unknown cluster', ['versions', 'list', '--cluster', 'nobody'], 6, /nobody/],
      ['an unknown node', ['nodes', 'get', '4711'], 6, /4711/],
      ['an unknown version', ['versions', 'get', '4711'], 6, /4711/],
      ['a version that is no number', ['versions', 'get', 'newest'], 2, /newest/],
      ['an unknown host name', ['nodes', 'get', 'one'], 6, /one/],
      ['a name that is too long', ['clusters', 'get', LONG_NAME], 2, /255/],
      ['an unknown command', ['frobnicate'], 2, /frobnicate/],
      ['an unknown flag', ['status', '--frobnicate'], 2, /--frobnicate/],
      ['a bad duration', ['--timeout', 'soon', 'status'], 2, /--timeout.*soon/],
      ['an unknown format', ['-o', 'yaml', 'status'], 2, /yaml/],
    ];
    for (const [what, args, code, words] of cases) {
      it(`${what} ends with exit code ${code}`, async () => {
        expectOneLine(await cluster().cli(...args), code, words);
      });
    }

    it('a manager that is not there, or is none, ends with exit code 4', async () => {
      const port = await freePort();
      const away = `http://127.0.0.1:${port}`;
      expectOneLine(
        await cluster().cli('--manager', away, '--timeout', '2s', 'status'),
        4,
        new RegExp(away),
      );
      const influxd = cluster().nodes[0]!.influxd.url;
      expectOneLine(await cluster().cli('--manager', influxd, 'status'), 4, new RegExp(influxd));
    });
  });

  describe('to the API', () => {
    const snapshot = snapshotWith('x');
    const cases: readonly [
      string,
      string,
      string,
      string | Uint8Array | undefined,
      number,
      string,
    ][] = [
      [
        'a version that is no number',
        'PUT',
        '/clusters/test/versions/newest',
        snapshot,
        400,
        'version-invalid',
      ],
      [
        'a negative version',
        'GET',
        '/clusters/test/versions/-1',
        undefined,
        400,
        'version-invalid',
      ],
      [
        'a body that is no snapshot',
        'PUT',
        '/clusters/fresh/versions/0',
        'hello',
        400,
        'snapshot-invalid',
      ],
      ['an empty body', 'PUT', '/clusters/fresh/versions/0', '', 400, 'snapshot-invalid'],
      [
        'a cut-off snapshot',
        'PUT',
        '/clusters/fresh/versions/0',
        snapshot.subarray(0, -3),
        400,
        'snapshot-invalid',
      ],
      [
        'a body over the limit',
        'PUT',
        '/clusters/test/versions/0',
        Buffer.alloc(70_000),
        413,
        'snapshot-too-large',
      ],
      [
        'a name over the limit',
        'PUT',
        `/clusters/${LONG_NAME}/versions/0`,
        snapshot,
        400,
        'name-invalid',
      ],
      ['a name with a line break', 'GET', '/nodes/a%0Ab', undefined, 400, 'name-invalid'],
      ['an unknown cluster', 'GET', '/nodes/nobody', undefined, 404, 'cluster-not-found'],
      [
        'a version of an unknown cluster',
        'GET',
        '/clusters/nobody/versions/3',
        undefined,
        404,
        'cluster-not-found',
      ],
      ['an unknown node', 'PUT', '/nodes/test/4711', undefined, 404, 'node-not-found'],
      [
        'an unknown kept version',
        'GET',
        '/clusters/test/history/4711',
        undefined,
        404,
        'version-not-found',
      ],
      ['a node that is no JSON', 'POST', '/nodes/test', '{', 400, 'body-invalid'],
      ['a node without what it needs', 'POST', '/nodes/test', '{"ips":"x"}', 400, 'body-invalid'],
      ['a bad wait', 'GET', '/clusters/test/versions/0?wait=soon', undefined, 400, 'body-invalid'],
      ['an unknown path', 'GET', '/nothing/here', undefined, 404, 'route-not-found'],
    ];
    for (const [what, method, path, body, status, code] of cases) {
      it(`${what} gets ${status} ${code}`, async () => {
        const url = `${cluster().managers[0]!.url}${path}`;
        const answer = await curl(method, url, body === undefined ? {} : { body });
        expect(answer.status, answer.body.toString()).to.equal(status);
        expect(answer.headers.get('content-type')).to.match(/^application\/problem\+json/);
        const problem = answer.json() as Record<string, unknown>;
        expect(problem).to.include({ status, code });
        expect(problem['detail'])
          .to.be.a('string')
          .and.not.match(/\n| at .*:\d+:\d+/);
      });
    }
  });
});
