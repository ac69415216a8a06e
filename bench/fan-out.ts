// Ten thousand waiting readers on one manager over real etcd: what one costs, and how long a write needs to reach the last.
// Beside it, with the same readers: node:http alone, which neither stores nor checks anything; and the manager with TLS.
import { Pool } from 'undici';
import { startEtcd } from '../test/support/etcd.js';
import { temporaryDirectory } from '../test/support/temp-dir.js';
import { pause, type BenchOptions, type Cleanup } from './support/bench.js';
import { beatAtRate, registerNodes } from './support/nodes.js';
import { affordableReaders } from './support/open-files.js';
import { cpuMs } from './support/proc.js';
import { startBareServer, startManager, type Program } from './support/programs.js';
import { PROCESSES, Readers } from './support/readers.js';
import { atMost, type Figure, type Report } from './support/report.js';
import { selfSigned } from './support/self-signed.js';
import { median, ms, spread } from './support/statistics.js';
import { WrittenCluster } from './support/written-cluster.js';

const READERS = 10_000;
const SNAPSHOT_BYTES = 20 * 1024;

/** Writes that release all readers; the first is left out, because code is compiled in it. */
const ROUNDS = 7;

/** Writes to another cluster while all readers wait. */
const OTHER_WRITES = 20;

/** A cluster of 500 nodes that beat every 5 s. */
const NODES = 500;
const BEATS_PER_SECOND = NODES / 5;

const WAITING_WITHIN_MS = 60_000;

interface Fan {
  readonly readers: number;
  readonly bytesPerReader: number;
  /** After all the rounds: what answering leaves behind. */
  readonly bytesPerReaderLater: number;
  /** From sending the write until the last reader has the version, one per round. */
  readonly releasesMs: readonly number[];
  /** Of the server's process, one per round, until all readers wait again. */
  readonly cpusMs: readonly number[];
}

interface Meanwhile {
  readonly writes: readonly number[];
  readonly beatsWhileWaiting: readonly number[];
  readonly beatsWhileReleasing: readonly number[];
}

export async function fanOut({ scale }: BenchOptions, cleanup: Cleanup): Promise<Report> {
  const readers = await affordableReaders(Math.round(READERS * scale), PROCESSES);
  const bare = await startBareServer();
  const bareFan = await measure(bare, readers, undefined).finally(() => bare.stop());

  const etcd = await cleanup.keep(startEtcd(), (each) => each.stop());
  const manager = await startManager(etcd.endpoints, { env: {}, isProbed: true });
  const meanwhile: { value?: Meanwhile } = {};
  const plainFan = await measure(manager, readers, meanwhile).finally(() => manager.stop());
  return report(
    bareFan,
    plainFan,
    meanwhile.value,
    await overTls(etcd.endpoints, readers, cleanup),
  );
}

/** Undefined where no certificate can be made here. */
async function overTls(
  endpoints: readonly string[],
  readers: number,
  cleanup: Cleanup,
): Promise<Fan | undefined> {
  const directory = await cleanup.keep(temporaryDirectory('tls'), (each) => each.remove());
  const signed = await selfSigned(directory.path);
  if (signed === undefined) return undefined;
  const env = {
    CLUSTERFLUX_MANAGER_CERT_FILE: signed.certFile,
    CLUSTERFLUX_MANAGER_KEY_FILE: signed.keyFile,
    CLUSTERFLUX_ETCD_PREFIX: '/tls',
  };
  const manager = await startManager(endpoints, { env, isProbed: true });
  return measure(manager, readers, undefined, signed.ca).finally(() => manager.stop());
}

async function measure(
  server: Program,
  count: number,
  meanwhile: { value?: Meanwhile } | undefined,
  ca?: string,
): Promise<Fan> {
  const pool = new Pool(server.url, {
    connections: 8,
    bodyTimeout: 0,
    ...(ca === undefined ? {} : { connect: { ca } }),
  });
  const cluster = new WrittenCluster(pool, 'fan', SNAPSHOT_BYTES);
  await cluster.write();
  const empty = (await server.memory()).rss;
  const { path, version, etag } = cluster;
  const message = { url: server.url, path, version, etag, ...(ca === undefined ? {} : { ca }) };
  const readers = await Readers.open(message, count);
  try {
    await untilWaiting(pool, count);
    const full = (await server.memory()).rss;
    const rounds = () => release({ server, pool, cluster, readers, count });
    const released =
      meanwhile === undefined ? await rounds() : await withOthers(pool, meanwhile, rounds);
    const later = (await server.memory()).rss;
    return {
      readers: count,
      bytesPerReader: (full - empty) / count,
      bytesPerReaderLater: (later - empty) / count,
      ...released,
    };
  } finally {
    await readers.close();
    await pool.destroy();
  }
}

interface Release {
  readonly server: Program;
  readonly pool: Pool;
  readonly cluster: WrittenCluster;
  readonly readers: Readers;
  readonly count: number;
}

async function release({
  server,
  pool,
  cluster,
  readers,
  count,
}: Release): Promise<{ releasesMs: number[]; cpusMs: number[] }> {
  const releasesMs: number[] = [];
  const cpusMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const cpuBefore = await cpuMs(server.pid);
    const received = readers.received(cluster.version + 1);
    const sent = process.hrtime.bigint();
    const [last] = await Promise.all([received, cluster.write()]);
    await untilWaiting(pool, count);
    if (round === 0) continue;
    releasesMs.push(Number(last - sent) / 1e6);
    cpusMs.push((await cpuMs(server.pid)) - cpuBefore);
  }
  return { releasesMs, cpusMs };
}

/** Heartbeats and writes to another cluster while all readers wait, and heartbeats while they are released. */
async function withOthers<T>(
  pool: Pool,
  meanwhile: { value?: Meanwhile },
  rounds: () => Promise<T>,
): Promise<T> {
  const beats = await registerNodes(pool, 'beating', NODES);
  for (const beat of beats) await beat();
  const waitingOver = new AbortController();
  const whileWaiting = beatAtRate(beats, BEATS_PER_SECOND, waitingOver.signal);
  const other = new WrittenCluster(pool, 'other', SNAPSHOT_BYTES);
  const writes: number[] = [];
  for (let i = 0; i < OTHER_WRITES; i++) {
    const sent = performance.now();
    await other.write();
    writes.push(performance.now() - sent);
    await pause(50);
  }
  waitingOver.abort();
  const beatsWhileWaiting = await whileWaiting;
  const releasingOver = new AbortController();
  const whileReleasing = beatAtRate(beats, BEATS_PER_SECOND, releasingOver.signal);
  const result = await rounds();
  releasingOver.abort();
  meanwhile.value = { writes, beatsWhileWaiting, beatsWhileReleasing: await whileReleasing };
  return result;
}

async function untilWaiting(pool: Pool, count: number): Promise<void> {
  const deadline = performance.now() + WAITING_WITHIN_MS;
  for (;;) {
    const { body } = await pool.request({ method: 'GET', path: '/metrics' });
    const waiting = /^clusterflux_manager_waiting_readers (\d+)/m.exec(await body.text())?.[1];
    if (Number(waiting) === count) return;
    if (performance.now() > deadline) throw new Error(`${waiting} of ${count} readers wait`);
    await pause(20);
  }
}

function report(
  bare: Fan,
  plain: Fan,
  meanwhile: Meanwhile | undefined,
  tls: Fan | undefined,
): Report {
  const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB`;
  const memory = ({ bytesPerReader, bytesPerReaderLater }: Fan) =>
    `${kib(bytesPerReader)}, ${kib(bytesPerReaderLater)} after ${ROUNDS} releases`;
  const releaseOf = ({ releasesMs, cpusMs }: Fan) =>
    `median ${ms(median(releasesMs))}, max ${ms(Math.max(...releasesMs))}; server's processor ${ms(median(cpusMs))}`;
  const worst = Math.max(...plain.releasesMs);
  const figures: Figure[] = [
    { what: 'node:http alone: memory per reader', measured: memory(bare) },
    { what: 'node:http alone: write to last reader', measured: releaseOf(bare) },
    {
      what: 'memory per reader',
      measured: memory(plain),
      aim: atMost('≤ 16 KiB', plain.bytesPerReader, 16 * 1024),
    },
    {
      what: 'write to last reader',
      measured: releaseOf(plain),
      aim: atMost('≤ 1 s', worst, 1_000),
    },
    ...(meanwhile === undefined ? [] : othersOf(meanwhile)),
    ...(tls === undefined
      ? []
      : [
          { what: 'with TLS: memory per reader', measured: memory(tls) },
          { what: 'with TLS: write to last reader', measured: releaseOf(tls) },
        ]),
  ];
  const notes = [
    `${plain.readers} readers in ${PROCESSES} processes on the same machine; snapshot of ${kib(SNAPSHOT_BYTES)}; time from sending the write; each reader reads again at once, as an agent does.`,
    'Memory is resident memory after a garbage collection, with all readers waiting, less that before the first came; what the kernel keeps for sockets is not in it.',
    ...(tls === undefined
      ? ['TLS was not measured: this machine has no openssl to make a certificate with.']
      : []),
  ];
  return { figures, notes };
}

function othersOf({ writes, beatsWhileWaiting, beatsWhileReleasing }: Meanwhile): Figure[] {
  return [
    { what: 'writes to another cluster while all wait', measured: spread(writes) },
    { what: 'heartbeats while all wait', measured: spread(beatsWhileWaiting) },
    { what: 'heartbeats while all are released', measured: spread(beatsWhileReleasing) },
  ];
}
