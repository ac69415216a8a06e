// Restarting a real influxd for a write of its meta.db: by commands, and by a signal under supervisors that are slow, or as
// quick as a shell can be.
import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { createInfluxControl, type RealInfluxControl } from '../../agent/influxd/influx-control.js';
import { createMetaWriter } from '../../agent/influxd/meta-writer.js';
import { findInfluxdProcesses } from '../../agent/influxd/processes.js';
import { influxdRunState } from '../../agent/influxd/stopped.js';
import { commandSwitch } from '../../agent/restart/command-switch.js';
import type { InfluxdSwitch } from '../../agent/restart/influxd-switch.js';
import { RestartWriter } from '../../agent/restart/restart-writer.js';
import { signalSwitch } from '../../agent/restart/signal-switch.js';
import { LocalObserver } from '../../agent/sync/observe.js';
import { parseAddress } from '../../shared/config/address.js';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import { systemClock } from '../../shared/lifecycle/clock.js';
import { keyOf, type Schema, type SchemaObject } from '../../shared/meta/model.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import { eventually } from '../support/eventually.js';
import { startInfluxd, type TestInfluxd } from '../support/influxd.js';
import {
  becomeRestartable,
  commandsIn,
  supervise,
  type RestartableInfluxd,
} from '../support/restartable.js';

/** As influxd hashes it: bcrypt. Nobody logs in with it. */
const HASH = `$2a$10$${'a'.repeat(53)}`;

describe('restarting influxd', function () {
  this.timeout(40_000);
  const clock = systemClock();
  const { signal } = new AbortController();
  let influxd: TestInfluxd;
  let control: RealInfluxControl;
  let restartable: RestartableInfluxd;

  beforeEach(async () => {
    influxd = await startInfluxd();
    const { url, metaDir } = influxd;
    const snapshotAddress = parseAddress(influxd.snapshotAddress)!;
    control = createInfluxControl({ url, metaDir, snapshotAddress });
    await influxd.query('CREATE DATABASE "before"');
  });
  afterEach(async () => {
    await restartable.end();
    await control.close();
    await influxd.remove();
  });

  const ping = (limit?: AbortSignal) => control.ping(limit);
  const runState = (others?: ReadonlySet<number>) => {
    const { url, metaDir } = influxd;
    return influxdRunState({
      ...(others && { others }),
      url,
      metaDir,
      snapshotAddress: parseAddress(influxd.snapshotAddress)!,
    });
  };
  const userNamed = (name: string): SchemaObject => ({
    kind: 'user',
    path: [name],
    value: { hash: HASH, admin: false },
  });

  /** Writes one more user by a restart, as a tick and the procedure do it; what the writer throws otherwise. */
  async function addUser(name: string, way: InfluxdSwitch): Promise<unknown> {
    const { metaDir, dataDir } = influxd;
    const plain = createMetaWriter({ metaDir, dataDir, runState, assumeStopped: false });
    const writer = new RestartWriter({ metaDir, plain, influxd: control });
    writer.arm((whenStopped, limit) => {
      const whenEnded = (again?: string) => {
        if (again !== undefined) throw new AppError('influxd-running', again);
        whenStopped();
      };
      return way.stop({ beforeStop: async () => undefined, whenEnded }, limit);
    });
    try {
      const local = await new LocalObserver(control).observeFile(signal, writer);
      const target = new Map([...local.schema, [keyOf(userNamed(name)), userNamed(name)]]);
      const data = await writer.compose(local, target, signal);
      await writer.write(data, local.fileBytes, signal);
      return undefined;
    } catch (error) {
      return error;
    } finally {
      await way.start(signal);
    }
  }

  const schema = async (): Promise<Schema> => readSchema(await control.readMemory(signal));
  const hasUser = async (name: string) => (await schema()).has(keyOf(userNamed(name)));

  function command(stopCommand: string, startCommand: string): InfluxdSwitch {
    const outputFile = join(influxd.dir, 'command.log');
    const processes = () => findInfluxdProcesses(influxd.metaDir, '/proc');
    const commands = { stopCommand, startCommand, outputFile };
    return commandSwitch({ ...commands, runState, processes, ping, clock });
  }

  it('by commands that return at once: the file is written once influxd has really ended', async () => {
    restartable = await becomeRestartable(influxd);
    const commands = commandsIn(influxd.dir);
    const way = command(commands['stop-command'], commands['start-command']);
    expect(await addUser('ann', way)).to.equal(undefined);
    expect(await hasUser('ann')).to.equal(true);
    expect(await influxd.names('SHOW DATABASES')).to.deep.equal(['before']);
    expect(await restartable.starts()).to.equal(1);
  });

  it('by a start command that stays in the foreground', async () => {
    restartable = await becomeRestartable(influxd);
    const { dir, configFile } = influxd;
    const program = await readlink(`/proc/${influxd.pid ?? 0}/exe`);
    const start = `echo $$ > ${dir}/influxd.pid; exec ${program} -config ${configFile}`;
    const way = command(commandsIn(dir)['stop-command'], start);
    expect(await addUser('bob', way)).to.equal(undefined);
    expect(await hasUser('bob')).to.equal(true);
  });

  it('says what a command that fails has said, and leaves influxd and its file alone', async () => {
    restartable = await becomeRestartable(influxd);
    const way = command('echo no right to do this >&2; exit 7', 'true');
    const error = await addUser('cid', way);
    expect(isAppError(error, 'influxd-running')).to.equal(true);
    expect(error)
      .to.have.property('message')
      .that.matches(/exit code 7.*no right to do this/);
    expect(await hasUser('cid')).to.equal(false);
  });

  it('by a signal, where a supervisor takes a second', async () => {
    restartable = await supervise(influxd, 1);
    const way = signalSwitch({ metaDir: influxd.metaDir, ping, clock });
    for (const name of ['dan', 'eva']) {
      expect(await addUser(name, way)).to.equal(undefined);
      expect(await hasUser(name)).to.equal(true);
    }
    expect(await restartable.starts()).to.equal(2);
  });

  it('by a signal under the quickest supervisor: either it is in, or influxd runs as before', async () => {
    restartable = await supervise(influxd, 0);
    const way = signalSwitch({ metaDir: influxd.metaDir, ping, clock });
    let won = 0;
    for (let round = 0; round < 8; round += 1) {
      const name = `user ${round}`;
      // What a client is promised meanwhile stays, whoever wins.
      await influxd.query(`CREATE DATABASE "db ${round}"`);
      const error = await addUser(name, way);
      if (error !== undefined) expect(isAppError(error, 'influxd-running')).to.equal(true);
      else if (await hasUser(name)) won += 1;
      const databases = await eventually(() => influxd.names('SHOW DATABASES'));
      expect(databases).to.have.length(round + 2);
    }
    console.log(`      won ${won} of 8 races`);
  });

  it('refuses a signal where no influxd of this directory is visible', async () => {
    restartable = await becomeRestartable(influxd);
    const way = signalSwitch({ metaDir: join(influxd.dir, 'data'), ping, clock });
    const error = await addUser('fay', way);
    expect(error).to.have.property('message').that.contains('is visible here');
    expect(await restartable.starts()).to.equal(0);
  });
});
