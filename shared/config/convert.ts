// From the file's names to the program's: the only place where kebab-case keys become camelCase fields with units.
import type { AgentConfig, Config, EtcdConfig, InfluxdbConfig, ManagerConfig } from './config.js';
import type { ParsedConfig } from './schema.js';

export function toConfig(parsed: ParsedConfig): Config {
  const { gateway, placement, handoff, guard, sync, log } = parsed;
  return {
    manager: toManager(parsed.manager),
    etcd: toEtcd(parsed.etcd),
    agent: toAgent(parsed.agent),
    influxdb: toInfluxdb(parsed.influxdb),
    gateway: {
      enabled: gateway.enabled,
      bindAddress: gateway['bind-address'],
      insecure: gateway.insecure,
      auth: gateway.auth,
      maxAuthFailures: gateway['max-auth-failures'],
      maxBodyBytes: gateway['max-body-size'],
      maxBytesInFlight: gateway['max-bytes-in-flight'],
      maxWrites: gateway['max-writes'],
      maxConnections: gateway['max-connections'],
      certFile: gateway['cert-file'],
      keyFile: gateway['key-file'],
    },
    placement: {
      minReplication: placement['min-replication'],
      initialNodes: placement['initial-nodes'],
      outAfterMs: placement['out-after'],
      cutLeadMs: placement['cut-lead'],
    },
    handoff: {
      hintAfterMs: handoff['hint-after'],
      maxBytes: handoff['max-size'],
      maxAgeMs: handoff['max-age'],
      minFreeBytes: handoff['min-free'],
      retryIntervalMs: handoff['retry-interval'],
      retryMaxIntervalMs: handoff['retry-max-interval'],
      catchUpTimeoutMs: handoff['catch-up-timeout'],
      retryRateLimitBytes: handoff['retry-rate-limit'],
    },
    guard: { maxDrops: guard['max-drops'] },
    sync,
    log,
  };
}

function toManager(parsed: ParsedConfig['manager']): ManagerConfig {
  return {
    bindAddress: parsed['bind-address'],
    advertiseAddress: parsed['advertise-address'],
    store: parsed.store,
    dataDir: parsed['data-dir'],
    history: parsed.history,
    longPollMs: parsed['long-poll'],
    maxSnapshotBytes: parsed['max-snapshot-size'],
    maxEvents: parsed['max-events'],
    certFile: parsed['cert-file'],
    keyFile: parsed['key-file'],
    clientCaFile: parsed['client-ca-file'],
    tokenFile: parsed['token-file'],
    insecure: parsed.insecure,
    drainDelayMs: parsed['drain-delay'],
    maxWaiters: parsed['max-waiters'],
    maxConnections: parsed['max-connections'],
    maxJsonBytes: parsed['max-json-size'],
    maxHeaderBytes: parsed['max-header-size'],
    requestTimeoutMs: parsed['request-timeout'],
    maxAuthFailures: parsed['max-auth-failures'],
  };
}

function toEtcd(parsed: ParsedConfig['etcd']): EtcdConfig {
  return {
    endpoints: parsed.endpoints,
    prefix: parsed.prefix,
    ttlMs: parsed.ttl,
    quotaBytes: parsed.quota,
    username: parsed.username,
    passwordFile: parsed['password-file'],
    caFile: parsed['ca-file'],
    certFile: parsed['cert-file'],
    keyFile: parsed['key-file'],
  };
}

function toAgent(parsed: ParsedConfig['agent']): AgentConfig {
  return {
    cluster: parsed.cluster,
    endpoints: parsed.endpoints,
    stateDir: parsed['state-dir'],
    bindAddress: parsed['bind-address'],
    advertiseAddress: parsed['advertise-address'],
    heartbeatIntervalMs: parsed['heartbeat-interval'],
    resyncIntervalMs: parsed['resync-interval'],
    join: parsed.join,
    deregisterOnStop: parsed['deregister-on-stop'],
    secretFile: parsed['secret-file'],
    maxConnections: parsed['max-connections'],
    maxAuthFailures: parsed['max-auth-failures'],
    insecure: parsed.insecure,
    caFile: parsed['ca-file'],
    certFile: parsed['cert-file'],
    keyFile: parsed['key-file'],
    tokenFile: parsed['token-file'],
    longPollMs: parsed['long-poll'],
    readyTimeoutMs: parsed['ready-timeout'],
  };
}

function toInfluxdb(parsed: ParsedConfig['influxdb']): InfluxdbConfig {
  return {
    url: parsed.url,
    username: parsed.username,
    passwordFile: parsed['password-file'],
    metaDir: parsed['meta-dir'],
    snapshotAddress: parsed['snapshot-address'],
    restart: parsed.restart,
    stopCommand: parsed['stop-command'],
    startCommand: parsed['start-command'],
    restartIntervalMs: parsed['restart-interval'],
    caFile: parsed['ca-file'],
    jwtSecretFile: parsed['jwt-secret-file'],
    dataDir: parsed['data-dir'],
    metaPollMs: parsed['meta-poll'],
  };
}
