// Writes docs/openapi.json from the schemas that validate; with --check it only says whether it is fresh (exit 1).
import { readFileSync, writeFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { buildApp } from '../manager/http/app.js';
import { ManagerMetrics } from '../manager/metrics.js';
import { createServices } from '../manager/services.js';
import { MemoryStore } from '../manager/store/memory/memory-store.js';
import { buildInfo } from '../shared/lifecycle/build-info.js';
import { systemClock } from '../shared/lifecycle/clock.js';
import { silentLogger } from '../shared/log/logger.js';

const FILE = 'docs/openapi.json';

const after = `${JSON.stringify(await describeApi(), null, 2)}\n`;
if (!process.argv.includes('--check')) {
  writeFileSync(FILE, after);
} else if (readFileSync(FILE, 'utf8') !== after) {
  process.stderr.write(
    `${FILE} is not what the schemas say; run \`make generate\` and commit the result\n`,
  );
  process.exitCode = 1;
}

/** The document of a manager that is never started. */
async function describeApi(): Promise<object> {
  const logger = silentLogger();
  const clock = systemClock();
  const store = new MemoryStore({ clock });
  const registry = new Registry();
  const app = await buildApp({
    services: createServices({
      store,
      logger,
      clock,
      prefix: '/x',
      ttlMs: 15_000,
      history: 10,
      maxDrops: 5,
      maxEvents: 1_000,
      placement: {
        minReplication: 3,
        initialNodes: 1,
        outAfterMs: 86_400_000,
        cutLeadMs: 120_000,
      },
    }),
    store,
    logger,
    metrics: new ManagerMetrics(registry, () => 0),
    registry,
    build: buildInfo(),
    managerId: '',
    startedAt: new Date(0),
    // It answers nobody, so any will do.
    limits: {
      maxSnapshotBytes: 1,
      maxJsonBytes: 1,
      maxHeaderBytes: 16_384,
      longPollMs: 1,
      maxWaiters: 1,
      maxConnections: 1,
      requestTimeoutMs: 1_000,
      maxAuthFailures: 1,
    },
    stop: new AbortController().signal,
    isDraining: () => false,
  });
  const document = app.swagger();
  await app.close();
  await store.close();
  return document;
}
