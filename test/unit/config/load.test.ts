// Loading: precedence, sources, and the sentence for everything that can be wrong.
import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineFacts } from '../../../shared/config/defaults.js';
import { loadConfig, type LoadedConfig } from '../../../shared/config/load.js';
import type { FlagSetting } from '../../../shared/config/sources.js';
import { allKeys } from '../../../shared/config/keys.js';
import { sampleToml } from '../../../shared/config/sample.js';
import { AppError } from '../../../shared/errors/app-error.js';

describe('loadConfig', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'config-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  interface Given {
    readonly toml?: string;
    readonly env?: Record<string, string>;
    readonly flags?: FlagSetting[];
    readonly isWritable?: boolean;
    readonly openFilesLimit?: number;
  }

  function load(given: Given = {}): LoadedConfig {
    const { env = {}, flags = [], isWritable = true, openFilesLimit = 1_000_000 } = given;
    const file = join(directory, 'given.toml');
    if (given.toml !== undefined) writeFileSync(file, given.toml);
    const home = join(directory, 'home');
    const facts: MachineFacts = { env, home, isWritable: () => isWritable, openFilesLimit };
    return loadConfig({
      file: given.toml === undefined ? undefined : file,
      flags,
      directory,
      facts,
    });
  }

  function refusal(given: Given): string {
    try {
      load(given);
    } catch (error) {
      expect(error).to.be.instanceOf(AppError);
      expect((error as AppError).code).to.equal('config-invalid');
      return (error as AppError).message.replaceAll(`${directory}/`, '');
    }
    throw new Error('it was accepted');
  }

  const sourceOf = (loaded: LoadedConfig, path: string) =>
    loaded.values.find((value) => value.path === path)?.source;

  it('takes the defaults of the design where nothing is configured', () => {
    const { config, file, warnings } = load();
    expect(file).to.equal(undefined);
    expect(warnings).to.deep.equal([]);
    expect(config.manager).to.deep.include({
      bindAddress: { host: '127.0.0.1', port: 8000 },
      advertiseAddress: undefined,
      store: 'embedded',
      history: 10,
      longPollMs: 300_000,
      maxSnapshotBytes: 64 * 1024 ** 2,
      drainDelayMs: 2_000,
      maxWaiters: 20_000,
      insecure: false,
    });
    expect(config.etcd).to.deep.include({
      endpoints: ['http://127.0.0.1:2379'],
      prefix: '/clusterflux',
      ttlMs: 15_000,
    });
    expect(config.agent).to.deep.include({
      cluster: 'default',
      endpoints: ['http://127.0.0.1:8000'],
      bindAddress: { host: '127.0.0.1', port: 8888 },
      heartbeatIntervalMs: 5_000,
      resyncIntervalMs: 30_000,
      longPollMs: 50_000,
      readyTimeoutMs: 10_000,
      join: 'merge',
      deregisterOnStop: false,
    });
    expect(config.influxdb).to.deep.include({
      url: 'http://127.0.0.1:8086',
      metaDir: '/var/lib/influxdb/meta',
      snapshotAddress: { host: '127.0.0.1', port: 8088 },
      restart: 'off',
      metaPollMs: undefined,
    });
    expect(config.gateway).to.deep.include({
      enabled: true,
      auth: 'auto',
      bindAddress: { host: '127.0.0.1', port: 8096 },
    });
    expect(config.placement).to.deep.equal({
      minReplication: 3,
      initialNodes: 1,
      outAfterMs: 86_400_000,
      cutLeadMs: 120_000,
    });
    expect(config.handoff).to.deep.equal({
      hintAfterMs: 100,
      maxBytes: 10 * 1024 ** 3,
      maxAgeMs: 604_800_000,
      minFreeBytes: 1_073_741_824,
      retryIntervalMs: 1_000,
      retryMaxIntervalMs: 60_000,
      catchUpTimeoutMs: 300_000,
      retryRateLimitBytes: 0,
    });
    expect(config.guard).to.deep.equal({ maxDrops: 5 });
    expect(config.sync).to.deep.equal({ include: ['*'], exclude: [] });
    expect(config.log).to.deep.equal({ level: 'info', format: 'auto' });
  });

  it('lets a flag beat the environment, that the file, and that the default, and remembers which it was', () => {
    const toml = '[etcd]\nttl = "3s"\nprefix = "/file"\n[manager]\nhistory = 3';
    const env = { CLUSTERFLUX_ETCD_TTL: '4s', CLUSTERFLUX_ETCD_PREFIX: '/env' };
    const loaded = load({
      toml,
      env,
      flags: [{ path: 'etcd.ttl', value: '5s', flag: '--etcd-ttl' }],
    });
    expect(loaded.config.etcd).to.deep.include({ ttlMs: 5_000, prefix: '/env' });
    expect(loaded.config.manager.history).to.equal(3);
    expect(sourceOf(loaded, 'etcd.ttl')).to.deep.equal({ kind: 'flag', name: '--etcd-ttl' });
    expect(sourceOf(loaded, 'etcd.prefix')).to.deep.equal({
      kind: 'environment',
      name: 'CLUSTERFLUX_ETCD_PREFIX',
    });
    expect(sourceOf(loaded, 'manager.history')).to.deep.include({ kind: 'file' });
    expect(sourceOf(loaded, 'manager.store')).to.deep.equal({ kind: 'default' });
  });

  it('reads lists, numbers and truth values from the environment', () => {
    const { config } = load({
      env: {
        CLUSTERFLUX_ETCD_ENDPOINTS: 'http://a:1, http://b:2',
        CLUSTERFLUX_MANAGER_HISTORY: '7',
        CLUSTERFLUX_MANAGER_INSECURE: 'true',
        CLUSTERFLUX_HANDOFF_RETRY_RATE_LIMIT: '1MiB',
      },
    });
    expect(config.etcd.endpoints).to.deep.equal(['http://a:1', 'http://b:2']);
    expect(config.manager).to.deep.include({ history: 7, insecure: true });
    expect(config.handoff.retryRateLimitBytes).to.equal(1024 ** 2);
  });

  it('honours CLUSTER and CFLUX_ENDPOINT, and lets CLUSTERFLUX_ names beat them', () => {
    const env = { CLUSTER: 'plant', CFLUX_ENDPOINT: 'http://m:1' };
    const original = load({ env }).config.agent;
    expect(original).to.deep.include({ cluster: 'plant', endpoints: ['http://m:1'] });
    const both = load({ env: { ...env, CLUSTERFLUX_AGENT_CLUSTER: 'other' } }).config.agent;
    expect(both).to.deep.include({ cluster: 'other', endpoints: ['http://m:1'] });
  });

  it('counts an empty variable as not set', () => {
    expect(load({ env: { CLUSTER: '', CLUSTERFLUX_ETCD_TTL: '' } }).config.agent.cluster).to.equal(
      'default',
    );
  });

  it('only warns of unknown environment names, with the nearest where there is one', () => {
    const env = {
      CLUSTERFLUX_MANAGER_PORT: 'tcp://10.0.0.1:8000',
      CLUSTERFLUX_ETCD_TTTL: '3s',
      OTHER: 'x',
    };
    expect(load({ env }).warnings).to.deep.equal([
      'the environment variable CLUSTERFLUX_MANAGER_PORT is not a configuration key and is ignored',
      'the environment variable CLUSTERFLUX_ETCD_TTTL is not a configuration key and is ignored; did you mean CLUSTERFLUX_ETCD_TTL?',
    ]);
  });

  const refused: [string, Given, RegExp][] = [
    [
      'an unknown key',
      { toml: '[etcd]\ntttl = "3s"' },
      /^given\.toml: there is no key etcd\.tttl; did you mean etcd\.ttl\?$/,
    ],
    [
      'an unknown key like no other',
      { toml: '[etcd]\nqwertz = 1' },
      /no key etcd\.qwertz; see `clusterflux config sample`/,
    ],
    [
      'an unknown section',
      { toml: '[mannager]\na = 1' },
      /^given\.toml: there is no section \[mannager\]; did you mean manager\?/,
    ],
    [
      'a value where a table belongs',
      { toml: 'manager = 3' },
      /^given\.toml: manager: expected a table .* got 3$/,
    ],
    [
      'text that is no TOML',
      { toml: 'a = "x"\n[manager\n' },
      /^given\.toml:2:\d+: this is not valid TOML: [^\n]+$/,
    ],
    [
      'a number for a duration',
      { toml: '[etcd]\nttl = 15' },
      /^given\.toml: etcd\.ttl: expected a duration .*, got 15$/,
    ],
    [
      'a bad duration',
      { env: { CLUSTERFLUX_ETCD_TTL: 'abc' } },
      /^CLUSTERFLUX_ETCD_TTL: etcd\.ttl: expected a duration .*, got "abc"$/,
    ],
    [
      'a TTL that etcd does not grant',
      { toml: '[etcd]\nttl = "1s"' },
      /at least 2s \(etcd grants no less\).*, got "1s"/,
    ],
    [
      'a bad size',
      { toml: '[manager]\nmax-snapshot-size = "64MB"' },
      /manager\.max-snapshot-size: expected a size .* got "64MB"/,
    ],
    [
      'a text for a number',
      { env: { CLUSTERFLUX_MANAGER_HISTORY: 'ten' } },
      /manager\.history: expected a whole number, from 1 to 1000, got "ten"/,
    ],
    [
      'a number out of range',
      { toml: '[manager]\nhistory = 0' },
      /expected a whole number, from 1 to 1000, got 0/,
    ],
    [
      'a text for a truth value',
      { env: { CLUSTERFLUX_MANAGER_INSECURE: 'yes' } },
      /manager\.insecure: expected true or false, got "yes"/,
    ],
    [
      'an unknown choice',
      { flags: [{ path: 'manager.store', value: 'disk', flag: '--store' }] },
      /^--store: manager\.store: expected one of "embedded", "etcd", got "disk"$/,
    ],
    [
      'a bad address',
      { toml: '[manager]\nbind-address = "8000"' },
      /manager\.bind-address: expected an address .* got "8000"/,
    ],
    [
      'a URL without a scheme',
      { toml: '[etcd]\nendpoints = ["127.0.0.1:2379"]' },
      /etcd\.endpoints: expected a list of URLs/,
    ],
    [
      'an empty list of managers',
      { toml: '[agent]\nendpoints = []' },
      /agent\.endpoints: expected a list of URLs.* got \[\]/,
    ],
    [
      'a cluster name of two dots',
      { toml: '[agent]\ncluster = ".."' },
      /agent\.cluster: expected a name/,
    ],
    [
      'a prefix that ends with a slash',
      { toml: '[etcd]\nprefix = "/a/"' },
      /etcd\.prefix: expected a prefix/,
    ],
    [
      'a certificate without its key',
      { toml: '[etcd]\ncert-file = "a"' },
      /etcd\.cert-file is set without etcd\.key-file/,
    ],
    [
      'client certificates without a server certificate',
      { toml: '[manager]\nclient-ca-file = "a"' },
      /manager\.client-ca-file is set without manager\.cert-file/,
    ],
    [
      'a user without a password',
      { toml: '[influxdb]\nusername = "a"' },
      /influxdb\.username is set without influxdb\.password-file/,
    ],
    [
      'a restart by command without commands',
      { toml: '[influxdb]\nrestart = "command"' },
      /needs influxdb\.stop-command/,
    ],
  ];
  for (const [what, given, sentence] of refused) {
    it(`refuses ${what} with one sentence`, () => {
      const message = refusal(given);
      expect(message).to.match(sentence);
      expect(message).not.to.include('\n');
    });
  }

  it('refuses a file that is not there', () => {
    const facts: MachineFacts = {
      env: {},
      home: directory,
      isWritable: () => true,
      openFilesLimit: 1,
    };
    const file = join(directory, 'none.toml');
    expect(() => loadConfig({ file, flags: [], directory, facts })).to.throw(
      AppError,
      /none\.toml failed: ENOENT.*--config/,
    );
  });

  it('looks for config.toml in the working directory first, then in the home directory', () => {
    mkdirSync(join(directory, 'home/.clusterflux'), { recursive: true });
    writeFileSync(join(directory, 'home/.clusterflux/config.toml'), '[manager]\nhistory = 2');
    expect(load().config.manager.history).to.equal(2);
    writeFileSync(join(directory, 'config.toml'), '[manager]\nhistory = 4');
    expect(load().config.manager.history).to.equal(4);
  });

  it("takes the state directory of systemd, else the system's, and a home directory only for the manager", () => {
    const systemd = load({ env: { STATE_DIRECTORY: '/var/lib/x:/var/lib/y' } }).config;
    expect([systemd.manager.dataDir, systemd.agent.stateDir]).to.deep.equal([
      '/var/lib/x',
      '/var/lib/x',
    ]);
    const root = load().config;
    expect(root.manager.dataDir).to.equal('/var/lib/clusterflux/manager');
    const user = load({ isWritable: false }).config;
    expect(user.manager.dataDir).to.equal(join(directory, 'home/.clusterflux/manager'));
    expect(user.agent.stateDir).to.equal('/var/lib/clusterflux/agent');
  });

  it('leaves descriptors for everything but waiting readers', () => {
    expect(load({ openFilesLimit: 5_000 }).config.manager.maxWaiters).to.equal(4_000);
    expect(load({ openFilesLimit: 100 }).config.manager.maxWaiters).to.equal(1);
  });

  describe('with the sample', () => {
    it('finds nothing to change in it as it is', () => {
      expect(load({ toml: sampleToml() }).config).to.deep.equal(load().config);
    });

    it('finds every key in it, and the defaults again where their # is removed', () => {
      const uncommented = sampleToml().replace(/^# ([a-z-]+ = .+)$/gm, '$1');
      expect(load({ toml: uncommented }).config).to.deep.equal(load().config);
      for (const key of allKeys())
        expect(sampleToml()).to.match(new RegExp(`^# ${key.name} =`, 'm'));
    });
  });
});
