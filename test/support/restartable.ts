// A test influxd that others stop and start: by commands, or by a supervisor in a shell loop. Counts its starts.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { killAtExit } from './at-exit.js';
import { eventually } from './eventually.js';
import type { TestInfluxd } from './influxd.js';

export interface RestartableInfluxd {
  /** How often it was started since the test handed it over. */
  starts(): Promise<number>;
  /** True where its HTTP port answers. */
  answers(): Promise<boolean>;
  /** Ends it, and the supervisor that would start it again; an agent that does has to be ended before. */
  end(): Promise<void>;
}

/** The scripts that `becomeRestartable` makes in the influxd's directory; known before it is started. */
export function commandsIn(dir: string): { 'stop-command': string; 'start-command': string } {
  return { 'stop-command': `sh ${dir}/stop.sh`, 'start-command': `sh ${dir}/start.sh` };
}

/** The agent whose number is in this file is killed (-9) once influxd has ended; then the file is gone. */
export function killFileIn(dir: string): string {
  return join(dir, 'kill-agent');
}

/** From now on the commands of its directory stop and start it; the test no longer does. */
export async function becomeRestartable(influxd: TestInfluxd): Promise<RestartableInfluxd> {
  const { dir, configFile, pid } = influxd;
  const program = await programOf(influxd);
  await writeFile(join(dir, 'influxd.pid'), String(pid));
  // In the background, with the command gone at once: as daemons start.
  await writeFile(
    join(dir, 'start.sh'),
    `${program} -config ${configFile} >> ${dir}/influxd.log 2>&1 &
echo $! > ${dir}/influxd.pid
echo start >> ${dir}/starts\n`,
  );
  await writeFile(
    join(dir, 'stop.sh'),
    `pid=$(cat ${dir}/influxd.pid)
kill $pid
[ -e ${dir}/kill-agent ] || exit 0
while kill -0 $pid 2>/dev/null && ! grep -q ' Z ' /proc/$pid/stat; do sleep 0.02; done
kill -9 $(cat ${dir}/kill-agent)
rm ${dir}/kill-agent\n`,
  );
  return {
    ...watched(influxd),
    end: async () => {
      for (const each of await processesOn(configFile)) kill(each);
      await influxd.kill9();
    },
  };
}

/** Ended and started again by a loop, which pauses for so long before it does. */
export async function supervise(influxd: TestInfluxd, pauseS: number): Promise<RestartableInfluxd> {
  const { dir, configFile } = influxd;
  const program = await programOf(influxd);
  await influxd.stop();
  const loop = `while true; do
echo start >> ${dir}/starts
${program} -config ${configFile} >> ${dir}/influxd.log 2>&1
${pauseS === 0 ? ':' : `sleep ${pauseS}`}
done`;
  const shell = spawn('bash', ['-c', loop], { detached: true, stdio: 'ignore' });
  killAtExit(shell);
  const { starts, answers } = watched(influxd);
  await eventually(answers, { withinMs: 15_000, what: 'the supervised influxd to answer' });
  const before = await starts();
  return {
    starts: async () => (await starts()) - before,
    answers,
    end: () => endGroup(shell),
  };
}

function watched({ dir, url }: TestInfluxd): Pick<RestartableInfluxd, 'starts' | 'answers'> {
  return {
    // No file before the first start.
    starts: async () =>
      (await readFile(join(dir, 'starts'), 'utf8').catch(() => '')).split('\n').length - 1,
    answers: async () => {
      const signal = AbortSignal.timeout(1_000);
      const answer = await fetch(`${url}/ping`, { signal }).catch(() => undefined);
      await answer?.body?.cancel();
      return answer?.status === 204;
    },
  };
}

function programOf({ pid }: TestInfluxd): Promise<string> {
  return readlink(`/proc/${pid ?? 0}/exe`);
}

/** Also one that was started a moment ago. */
async function processesOn(configFile: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // Ended while it was looked at.
    const cmdline = await readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '');
    if (cmdline.includes(configFile)) found.push(Number(pid));
  }
  return found;
}

async function endGroup(shell: ChildProcess): Promise<void> {
  const exited = once(shell, 'exit');
  kill(-(shell.pid ?? 0));
  await exited;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended already, which is what is wanted.
  }
}
