// The influxd processes of this machine, and which of them runs on a given meta directory. Read from /proc (Linux); what
// can't be read is said, never guessed.
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { isAbsolute, join, basename } from 'node:path';
import { parse } from 'smol-toml';
import { messageOf } from '../../shared/errors/app-error.js';
import { currentUser, errorCode } from './meta-file.js';
import type { RunState } from './stopped.js';

/** The inode of the kernel's first process namespace: whoever is in it sees every process. */
const INITIAL_NAMESPACE = 'pid:[4026531836]';
/** Where influxd looks for its configuration when it is told none. */
const CONFIG_PLACES = ['/etc/influxdb/influxdb.conf'];
const DEFAULT_META_DIR = '/var/lib/influxdb/meta';

/** `running` for each influxd on this directory, `unknown` for each that can't be judged and where processes are hidden. */
export async function findInfluxdProcesses(metaDir: string, procDir: string): Promise<RunState[]> {
  const pids = await readdir(procDir).catch(() => undefined);
  if (pids === undefined) {
    return [
      { kind: 'unknown', why: `processes can't be listed: there is no ${procDir}`, isHidden: true },
    ];
  }
  const states: RunState[] = [];
  for (const pid of pids.filter((name) => /^\d+$/.test(name))) {
    const state = await judge(join(procDir, pid), pid, metaDir);
    if (state !== undefined) states.push(state);
  }
  const hidden = await whyHidden(procDir);
  return hidden === undefined
    ? states
    : [...states, { kind: 'unknown', why: hidden, isHidden: true }];
}

async function judge(process: string, pid: string, metaDir: string): Promise<RunState | undefined> {
  if (!(await isInfluxd(process))) return undefined;
  try {
    const directory = await metaDirOf(process);
    if (!(await isSameDirectory(join(process, 'root', directory), metaDir))) return undefined;
    return {
      kind: 'running',
      why: `process ${pid} is an influxd on ${metaDir}`,
      pid: Number(pid),
    };
  } catch (error) {
    // Ended while it was looked at.
    if (errorCode(error) === 'ESRCH' || !(await isInfluxd(process))) return undefined;
    return {
      kind: 'unknown',
      pid: Number(pid),
      why: `process ${pid} is an influxd, and user ${currentUser()} can't see on which directory (${messageOf(error)})`,
    };
  }
}

/** By the name of its program; zombies have ended. Processes that vanish meanwhile are none. */
async function isInfluxd(process: string): Promise<boolean> {
  const status = await readFile(join(process, 'stat'), 'utf8').catch(() => '');
  const end = status.lastIndexOf(')');
  const name = status.slice(status.indexOf('(') + 1, end);
  const state = status.slice(end + 2, end + 3);
  if (end < 0 || state === 'Z' || state === 'X') return false;
  if (name === 'influxd') return true;
  // Not readable for other users' processes, whose name above is then all that counts.
  const program = await readlink(join(process, 'exe')).catch(() => '');
  return basename(program.replace(/ \(deleted\)$/, '')) === 'influxd';
}

/** As influxd finds it: environment, then its configuration file, then its default. */
async function metaDirOf(process: string): Promise<string> {
  const environment = await readEnvironment(process);
  const inWorkingDirectory = async (path: string) =>
    isAbsolute(path) ? path : join(await readlink(join(process, 'cwd')), path);
  const override = environment.get('INFLUXDB_META_DIR');
  if (override !== undefined) return inWorkingDirectory(override);
  const home = environment.get('HOME');
  const config = await configOf(process, environment, inWorkingDirectory);
  const directory = config === undefined ? undefined : metaDirIn(config);
  if (directory !== undefined) return inWorkingDirectory(directory);
  return home === undefined ? DEFAULT_META_DIR : join(home, '.influxdb/meta');
}

async function readEnvironment(process: string): Promise<Map<string, string>> {
  const text = await readFile(join(process, 'environ'), 'utf8');
  return new Map(
    text.split('\0').map((entry): [string, string] => {
      const at = entry.indexOf('=');
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}

/** The text of the configuration file, undefined where there is none. */
async function configOf(
  process: string,
  environment: ReadonlyMap<string, string>,
  inWorkingDirectory: (path: string) => Promise<string>,
): Promise<string | undefined> {
  const told = configArgument(await readFile(join(process, 'cmdline'), 'utf8'));
  const named = told ?? environment.get('INFLUXDB_CONFIG_PATH');
  if (named !== undefined) {
    return readFile(join(process, 'root', await inWorkingDirectory(named)), 'utf8');
  }
  const home = environment.get('HOME');
  const places = home === undefined ? [] : [join(home, '.influxdb/influxdb.conf')];
  for (const place of [...places, ...CONFIG_PLACES]) {
    const text = await readFile(join(process, 'root', place), 'utf8').catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (text !== undefined) return text;
  }
  return undefined;
}

/** `-config FILE`, `--config FILE`, `-config=FILE`, also after the command `run`. */
function configArgument(cmdline: string): string | undefined {
  const words = cmdline.split('\0');
  for (const [index, word] of words.entries()) {
    const match = /^--?config(?:=(.*))?$/s.exec(word);
    if (match) return match[1] ?? words[index + 1];
  }
  return undefined;
}

function metaDirIn(config: string): string | undefined {
  const { meta } = parse(config);
  const dir = typeof meta === 'object' && 'dir' in meta ? meta.dir : undefined;
  return typeof dir === 'string' && dir !== '' ? dir : undefined;
}

/** By device and inode: symbolic links and other mount namespaces spell one directory in many ways. */
async function isSameDirectory(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([identityOf(a), identityOf(b)]);
  return first !== undefined && first === second;
}

async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev.toString()}:${ino.toString()}`;
  } catch (error) {
    // A directory that is not there is nobody's meta directory.
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Why an influxd could be there that is not listed; undefined where all processes are. */
async function whyHidden(procDir: string): Promise<string | undefined> {
  const namespace = await readlink(join(procDir, 'self/ns/pid')).catch(() => '');
  if (namespace !== INITIAL_NAMESPACE) {
    return 'this is a container: an influxd outside of it would not be seen';
  }
  const mounts = await readFile(join(procDir, 'self/mounts'), 'utf8').catch(() => '');
  const isHiding = mounts
    .split('\n')
    .some((line) => /^\S+ \/proc proc /.test(line) && /hidepid=(?!0|off)/.test(line));
  if (isHiding && process.geteuid?.() !== 0) {
    return `/proc hides other users' processes from user ${currentUser()}`;
  }
  return undefined;
}
