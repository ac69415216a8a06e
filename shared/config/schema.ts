// Every configuration key: its type, its default and what it is, in one place. The reader, `config sample`, the tables in
// docs/configuration.md and the names of the environment variables all come from here. Two levels, no more: [section] key.
import { z } from 'zod';
import {
  address,
  choice,
  duration,
  durationOrOff,
  flag,
  integer,
  keyPrefix,
  name,
  optionalAddress,
  optionalPath,
  optionalText,
  path,
  rate,
  size,
  texts,
  url,
  urls,
} from './key-types.js';

const manager = z.strictObject({
  'bind-address': address(
    '127.0.0.1:8000',
    'Where the manager listens; ":8000" is every address, port 0 a free port.',
  ),
  'advertise-address': optionalAddress('What other programs are told.', {
    defaultText:
      'the bind address where it names a host, else the first address that is not loopback',
  }),
  store: choice(
    ['embedded', 'etcd'],
    'embedded',
    'Where the state is: in a directory of this one manager, or in etcd.',
  ),
  'data-dir': path(undefined, 'The directory of the embedded store; printed at start.', {
    defaultText:
      '$STATE_DIRECTORY, else /var/lib/clusterflux/manager where writable, else $HOME/.clusterflux/manager',
  }),
  history: integer(
    { min: 1, max: 1_000 },
    10,
    'How many versions of the metadata are kept per cluster.',
  ),
  'long-poll': duration('5m', 'The longest wait of a read.', { atLeast: '1s' }),
  'max-snapshot-size': size('64MiB', 'Larger bodies get 413.'),
  'drain-delay': duration('2s', 'How long a stopping manager, already unready, still serves.'),
  'max-waiters': integer(
    { min: 1 },
    undefined,
    'Waiting reads at once; beyond, 503 too-many-waiters.',
    {
      defaultText: 'the limit of open files less 1000, at most 20000',
    },
  ),
  'max-connections': integer(
    { min: 1 },
    undefined,
    'Connections at once, waiting reads included; more are closed at once.',
    { defaultText: 'the default of max-waiters and 500 more' },
  ),
  'max-events': integer({ min: 10, max: 100_000 }, 1_000, 'How many events are kept per cluster.'),
  'max-json-size': size('1MiB', 'Larger bodies of other calls than snapshots get 413.'),
  'max-header-size': size('16KiB', 'All headers of a request; larger ones get 431.'),
  'request-timeout': duration(
    '60s',
    'How long a request may take to arrive, and how long a reader may take nothing of its answer.',
    { atLeast: '1s' },
  ),
  'max-auth-failures': integer(
    { min: 1 },
    20,
    'Wrong tokens per address and minute; beyond, 429 rate-limited.',
  ),
  insecure: flag(
    false,
    'Allows to listen on other addresses than loopback without tokens or mutual TLS.',
  ),
  'cert-file': optionalPath('TLS certificate (PEM).'),
  'key-file': optionalPath('Key of the certificate (PEM).'),
  'client-ca-file': optionalPath('Clients must have a certificate of this authority (mutual TLS).'),
  'token-file': optionalPath(
    'One `role[:cluster] sha256-of-token` per line; read again when it changes.',
  ),
});

const etcd = z.strictObject({
  endpoints: urls(['http://127.0.0.1:2379'], 'The members of etcd.'),
  prefix: keyPrefix('/clusterflux', 'All keys are below it.'),
  ttl: duration('15s', 'How long a node counts as alive without a heartbeat.', {
    atLeast: '2s',
    because: 'etcd grants no less',
  }),
  quota: size(
    '2GiB',
    "What etcd's --quota-backend-bytes is, because etcd does not tell: at half of it the manager warns.",
  ),
  username: optionalText('User name of etcd.'),
  'password-file': optionalPath('Its password, the first line of this file.'),
  'ca-file': optionalPath("The authority that signed etcd's certificate (PEM)."),
  'cert-file': optionalPath('Client certificate (PEM).'),
  'key-file': optionalPath('Key of the client certificate (PEM).'),
});

const agent = z.strictObject({
  cluster: name('default', 'The cluster to join; also $CLUSTER.'),
  endpoints: urls(
    ['http://127.0.0.1:8000'],
    'The managers, or their load balancer; also $CFLUX_ENDPOINT.',
  ),
  'state-dir': path(
    undefined,
    'Identity of the node, the base, notes and hints. Never copy it to another machine.',
    {
      defaultText: '$STATE_DIRECTORY, else /var/lib/clusterflux/agent',
    },
  ),
  'bind-address': address(
    '127.0.0.1:8888',
    'The peer and status endpoint; ":8888" is every address, port 0 a free port.',
  ),
  'advertise-address': optionalAddress('What other agents and the managers are told.', {
    defaultText:
      'the bind address where it names a host, else the first address that is not loopback',
  }),
  'heartbeat-interval': duration(
    '5s',
    'How often the node tells that it lives; the manager may ask for less.',
    { atLeast: '100ms' },
  ),
  'resync-interval': duration(
    '30s',
    'How often all is compared even though nothing seems to have changed.',
    { atLeast: '100ms' },
  ),
  'long-poll': duration(
    '50s',
    'How long a read waits at the manager; load balancers cut idle connections at 60 s.',
    { atLeast: '1s' },
  ),
  'ready-timeout': duration(
    '10s',
    'The agent is ready after this time even where it could not come in step.',
  ),
  join: choice(
    ['merge', 'pull', 'refuse'],
    'merge',
    "What a node with schema of its own does when it joins: both sides' union, keep its own to itself, or wait for a person.",
  ),
  'deregister-on-stop': flag(
    false,
    'Takes the node off the list when the agent stops; its id stays reserved.',
  ),
  insecure: flag(
    false,
    'Allows the peer endpoint on other addresses than loopback without secret or mutual TLS.',
  ),
  'secret-file': optionalPath(
    "The cluster's secret: the first line signs, every line is accepted; read again when it changes.",
  ),
  'max-connections': integer(
    { min: 10, max: 100_000 },
    1_000,
    'Connections to the peer and status endpoint at once; beyond, new ones are closed.',
  ),
  'max-auth-failures': integer(
    { min: 1 },
    20,
    'Failed attempts per address and minute that the peer endpoint answers as such; beyond, 429.',
  ),
  'ca-file': optionalPath("The authority that signed the managers' and peers' certificates (PEM)."),
  'cert-file': optionalPath(
    'Certificate towards managers and peers (PEM); with it the peer endpoint is https.',
  ),
  'key-file': optionalPath('Key of the certificate (PEM).'),
  'token-file': optionalPath('The token for the manager, the first line of this file.'),
});

const influxdb = z.strictObject({
  url: url('http://127.0.0.1:8086', 'The local influxd.'),
  username: optionalText('An admin user of it, where it asks for one.'),
  'password-file': optionalPath('Its password, the first line of this file.'),
  'meta-dir': path('/var/lib/influxdb/meta', 'Where influxd keeps meta.db.'),
  'snapshot-address': address(
    '127.0.0.1:8088',
    "influxd's backup port (bind-address in its configuration).",
  ),
  'data-dir': optionalPath('Where influxd keeps its shards.', {
    defaultText: '`data` beside the meta directory',
  }),
  'meta-poll': durationOrOff(
    'Reads the meta directory so often instead of watching it (network file systems).',
  ),
  'ca-file': optionalPath("The authority that signed influxd's certificate (PEM)."),
  'jwt-secret-file': optionalPath(
    "The shared secret of influxd's JWT authentication, in place of a password; its first line.",
  ),
  restart: choice(
    ['off', 'command', 'signal'],
    'off',
    'How influxd may be restarted for what no statement can set.',
  ),
  'stop-command': optionalText('Run by `sh -c` to stop influxd, where restart is "command".'),
  'start-command': optionalText('Run by `sh -c` to start it again.'),
  'restart-interval': duration('1m', 'No two restarts are closer than this.', { atLeast: '1s' }),
});

const gateway = z.strictObject({
  enabled: flag(true, 'Whether the InfluxDB-compatible endpoint is served.'),
  'bind-address': address(
    '127.0.0.1:8096',
    'Where it listens; ":8096" is every address, port 0 a free port.',
  ),
  auth: choice(
    ['auto', 'on', 'off'],
    'auto',
    'Whether clients must log in; auto: when the local influxd asks for it.',
  ),
  'max-auth-failures': integer(
    { min: 1 },
    20,
    'Unknown passwords per user, address and minute that are looked at; beyond, 429.',
  ),
  insecure: flag(
    false,
    'Allows to listen on other addresses than loopback without authentication.',
  ),
  'max-body-size': size(
    '25000000B',
    'Larger bodies of writes get 413; inflated they may be four times that. As influxd has it.',
  ),
  'max-bytes-in-flight': size(
    '128MiB',
    'Bytes of writes that are worked on at once; beyond, 503 queue-full.',
  ),
  'max-writes': integer(
    { min: 1, max: 100_000 },
    1_000,
    'Writes that are worked on at once; beyond, 503 queue-full.',
  ),
  'max-connections': integer(
    { min: 10, max: 100_000 },
    4_000,
    'Connections of clients at once; beyond, new ones are closed.',
  ),
  'cert-file': optionalPath('TLS certificate (PEM); with it the gateway is https.'),
  'key-file': optionalPath('Key of the certificate (PEM).'),
});

const placement = z.strictObject({
  'min-replication': integer(
    { min: 1, max: 100 },
    3,
    'Copies of each shard, where there are members enough.',
  ),
  'initial-nodes': integer(
    { min: 1 },
    1,
    'No shard group is made before so many nodes have registered.',
  ),
  'out-after': duration('24h', 'After so long a silence a node no longer counts as a member.', {
    atLeast: '1m',
  }),
  'cut-lead': duration(
    '2m',
    'So long ahead the end of a group is announced, so that all members can hear of it before.',
    { atLeast: '1s' },
  ),
});

const handoff = z.strictObject({
  'hint-after': duration('100ms', 'An owner that has not answered by then gets a hint.'),
  'max-size': size('10GiB', 'Bytes of hints per owner.'),
  'max-age': duration('168h', 'Older hints expire.'),
  'min-free': size('1GiB', 'With less free space on its disk no more hints are kept.'),
  'retry-interval': duration('1s', 'First pause between two attempts.', { atLeast: '1ms' }),
  'retry-max-interval': duration('60s', 'Longest pause between two attempts.', { atLeast: '1ms' }),
  'catch-up-timeout': duration(
    '5m',
    'How long a node that comes back refuses direct writes while hints for it are held elsewhere.',
    { atLeast: '1s' },
  ),
  'retry-rate-limit': rate('Bytes of hints per second and owner.'),
});

const guard = z.strictObject({
  'max-drops': integer({ min: 0 }, 5, 'Unproven drops in an hour that pass without a person.'),
});

const sync = z.strictObject({
  include: texts(['*'], 'Databases that are shared (globs).'),
  exclude: texts([], 'Databases that are not (globs).'),
});

const log = z.strictObject({
  level: choice(['debug', 'info', 'warn', 'error'], 'info', 'What is logged.'),
  format: choice(['auto', 'text', 'json'], 'auto', 'How; auto is text on a terminal, else JSON.'),
});

export const configSchema = z.strictObject({
  manager,
  etcd,
  agent,
  influxdb,
  gateway,
  placement,
  handoff,
  guard,
  sync,
  log,
});

/** The file's keys with the program's values: durations in ms, sizes in bytes, addresses taken apart. */
export type ParsedConfig = z.output<typeof configSchema>;
