// Damaged meta.db files, made from real ones: never a crash, never a hang, never taken for something that they do not say.
// 100,000 of them, or as many as fit into the time; CLUSTERFLUX_TEST_RUNS says how many whatever it takes (`make fuzz`),
// CLUSTERFLUX_TEST_SEED which ones. A failure names both.
import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readMetaFile } from '../../../agent/influxd/meta-file.js';
import { isAppError } from '../../../shared/errors/app-error.js';
import { decodeSnapshot, encodeSnapshot } from '../../../shared/meta/codec.js';
import { lineageOf } from '../../../shared/meta/lineage.js';
import { encodeValue, type Schema } from '../../../shared/meta/model.js';
import { readSchema, writeSchema } from '../../../shared/meta/snapshot.js';
import { metaSeeds } from '../../support/meta-seeds.js';
import { mutated, randomFrom } from '../../support/mutate.js';
import { simulate, type SimulatedNode } from '../../support/simulated-node.js';
import { temporaryDirectory } from '../../support/temp-dir.js';

const GIVEN_RUNS = process.env['CLUSTERFLUX_TEST_RUNS'];
const RUNS = Number(GIVEN_RUNS ?? 100_000);
/** They take 10 s on an idle machine. */
const WITHIN_MS = GIVEN_RUNS === undefined ? 20_000 : Infinity;
const SEED = Number(process.env['CLUSTERFLUX_TEST_SEED'] ?? Date.now() % 1_000_000);

/** One file in so many also goes the long ways: through the disk, and through the whole agent. */
const ON_DISK_EVERY = 200;
const AGENT_RUNS = Math.min(RUNS / 100, 400);

/** Damage of a kilobyte is read in less than a millisecond; this leaves room for a machine that is busy. */
const HANG_MS = 2_000;

const seeds = metaSeeds();
const files = Object.values(seeds);

const text = (schema: Schema) =>
  [...schema].map(([key, { value }]) => `${key} ${encodeValue(value)}`).sort();

/** The schema that was read, or the refusal's sentence; anything else is thrown. */
function read(bytes: Uint8Array): { readonly schema: Schema } | { readonly refused: string } {
  try {
    const data = decodeSnapshot(bytes);
    lineageOf(data);
    return { schema: readSchema(data) };
  } catch (error) {
    if (isAppError(error, 'snapshot-invalid')) return { refused: error.message };
    throw error;
  }
}

describe('a damaged meta.db', function () {
  this.timeout(600_000);

  it('is a real one before it is damaged', () => {
    for (const [name, bytes] of Object.entries(seeds)) {
      const found = read(bytes);
      expect('schema' in found && found.schema.size, name).to.be.greaterThan(0);
    }
  });

  it('that is cut off at any byte is refused, or is whole up to there', () => {
    for (const [name, bytes] of Object.entries(seeds)) {
      for (let length = 0; length < bytes.length; length += 1) {
        const found = read(bytes.subarray(0, length));
        // Users and what follows them are optional: a file that ends between two of them is whole, as influxd sees it too.
        if ('refused' in found) continue;
        const whole = text(decodedSchema(bytes));
        expect(whole, `${name} at ${length}`).to.include.members(text(found.schema));
        expect(encodeSnapshot(decodeSnapshot(bytes.subarray(0, length))).length).to.be.at.most(
          length,
        );
      }
    }
  });

  it(`is refused with a sentence, or says the same when it is written again (${RUNS} files)`, () => {
    const random = randomFrom(SEED);
    let accepted = 0;
    const end = performance.now() + WITHIN_MS;
    let run = 0;
    for (; run < RUNS && performance.now() < end; run += 1) {
      const { what, bytes } = mutated(files, random);
      const started = performance.now();
      const found = guarded(run, what, () => read(bytes));
      const tookMs = performance.now() - started;
      expect(tookMs, `run ${run} of seed ${SEED}, ${what}`).to.be.lessThan(HANG_MS);
      if ('refused' in found) {
        expect(found.refused).to.match(/^not a metadata snapshot of InfluxDB 1\.x: /);
        continue;
      }
      accepted += 1;
      guarded(run, what, () => {
        // Encoding enforces every required field; what was read is what is written.
        const data = decodeSnapshot(bytes);
        const again = decodeSnapshot(encodeSnapshot(data));
        expect(text(readSchema(again))).to.deep.equal(text(found.schema));
        const rewritten = decodeSnapshot(encodeSnapshot(writeSchema(data, found.schema)));
        expect(text(readSchema(rewritten))).to.deep.equal(text(found.schema));
      });
    }
    console.log(`    seed ${SEED}: ${accepted} of ${run} damaged files are still metadata`);
    expect(accepted, 'some damage changes only a value').to.be.greaterThan(run / 1_000);
    expect(accepted, 'most damage is found').to.be.lessThan(run / 2);
  });

  it('is a value to the loader, never an exception and never an empty schema', async () => {
    const random = randomFrom(SEED + 1);
    const directory = await temporaryDirectory('fuzz');
    const file = join(directory.path, 'meta.db');
    for (let run = 0; run < RUNS / ON_DISK_EVERY; run += 1) {
      const { what, bytes } = mutated(files, random);
      await writeFile(file, bytes);
      const found = await readMetaFile(directory.path);
      const expected = read(bytes);
      const label = `run ${run} of seed ${SEED + 1}, ${what}`;
      expect(found.kind, label).to.equal('refused' in expected ? 'invalid' : 'found');
    }
    await directory.remove();
  });

  it('never makes an agent drop anything in the cluster, nor on another server', async () => {
    const random = randomFrom(SEED + 2);
    for (let run = 0; run < AGENT_RUNS; run += 1) {
      const cluster = simulate(2);
      const [node, other] = cluster.nodes as [SimulatedNode, SimulatedNode];
      for (const name of ['a', 'b', 'c']) {
        node.user(`CREATE DATABASE "${name}"`);
        node.influx.write(name, undefined, 0n);
      }
      node.user(`CREATE USER "u" WITH PASSWORD 'x'`);
      await cluster.settle();
      const before = databasesOf(other.lines);
      expect(before).to.have.lengthOf(3);
      const good = Buffer.from(node.influx.fileBytes() ?? []);
      const { what, bytes } = mutated([good, good, ...files], random);
      node.influx.kill();
      node.influx.replaceFile(bytes);
      try {
        node.influx.start();
      } catch {
        // As the real one it does not start with a file that is none; the agent then sees a stopped server and a bad file.
      }
      await node.tick();
      await node.tick();
      await other.tick();
      node.startAgent();
      await node.tick();
      await other.tick();
      const label = `run ${run} of seed ${SEED + 2}, ${what}`;
      expect(databasesOf(other.lines), label).to.include.members(before);
    }
  });

  function guarded<T>(run: number, what: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new Error(`run ${run} of seed ${SEED}: ${what}`, { cause: error });
    }
  }
});

function decodedSchema(bytes: Uint8Array): Schema {
  return readSchema(decodeSnapshot(bytes));
}

function databasesOf(lines: readonly string[]): string[] {
  return lines.flatMap((line) => /^\["database",.*?\] /.exec(line)?.slice(0, 1) ?? []);
}
