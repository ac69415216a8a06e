// A server behind the InfluxControl port for the contract suites: the fake, and a real influxd.
import { writeFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FakeInflux } from '../../agent/influxd/fake-influx.js';
import { createInfluxControl } from '../../agent/influxd/influx-control.js';
import type { InfluxControl } from '../../agent/influxd/port.js';
import { parseAddress } from '../../shared/config/address.js';
import type { Schema } from '../../shared/meta/model.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import type { TestInfluxd } from './influxd.js';
import { startInfluxd } from './influxd.js';

/** A server under test: the port, and what people and the system do to the server. */
export interface Server {
  readonly control: InfluxControl;
  write(database: string, timeNs: bigint): Promise<void>;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Puts another meta.db in place, or none. */
  putFile(bytes: Uint8Array | undefined): Promise<void>;
  remove(): Promise<void>;
}

export async function fakeServer(): Promise<Server> {
  const control = new FakeInflux();
  return {
    control,
    write: async (database, timeNs) => {
      control.write(database, undefined, timeNs);
    },
    kill: async () => {
      control.kill();
    },
    start: async () => {
      control.start();
    },
    putFile: async (bytes) => {
      control.replaceFile(bytes);
    },
    remove: () => control.close(),
  };
}

export async function realServer(): Promise<Server> {
  const influxd = await startInfluxd();
  const control = controlOf(influxd);
  const file = join(influxd.metaDir, 'meta.db');
  return {
    control,
    write: (database, timeNs) => influxd.write(database, `m f=1 ${timeNs.toString()}`),
    kill: () => influxd.kill9(),
    start: () => influxd.start(),
    putFile: (bytes) => (bytes === undefined ? rm(file) : writeFile(file, bytes)),
    remove: async () => {
      await control.close();
      await influxd.remove();
    },
  };
}

function controlOf(influxd: TestInfluxd): InfluxControl {
  const { url, metaDir } = influxd;
  return createInfluxControl({
    url,
    metaDir,
    snapshotAddress: parseAddress(influxd.snapshotAddress)!,
  });
}

export async function schemaOf(control: InfluxControl): Promise<Schema> {
  return readSchema(await control.readMemory());
}
