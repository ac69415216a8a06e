// Watches one process of this machine to its end, closely enough to act before a quick supervisor has put another in its
// place. By /proc (Linux), and without giving way to anything else between the end and what is done about it.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface WatchedEnd {
  /** `/proc` but in tests. */
  readonly procDir: string;
  readonly pid: number;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** Called once, in the moment in which the process is seen to have ended; a zombie has. */
  readonly onEnd: () => void;
}

/**
 * A supervisor needs one to three milliseconds from the end of a process to the next one's program. Looking every fifth of one
 * costs a quarter of a core for as long as influxd takes to stop; every few looks the rest of this process has its turn.
 */
const LOOK_MS = 0.2;
const LOOKS_PER_TURN = 15;

/** Resolves to true after `onEnd`, to false at the deadline or when the signal is aborted. Throws what `onEnd` throws. */
export async function watchEnd(watched: WatchedEnd): Promise<boolean> {
  const { procDir, pid, deadlineMs, signal, onEnd } = watched;
  const begun = startOf(procDir, pid);
  const endMs = performance.now() + deadlineMs;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (performance.now() < endMs && !signal.aborted) {
    for (let look = 0; look < LOOKS_PER_TURN; look += 1) {
      // Another start time: the number was given to another process meanwhile.
      const now = startOf(procDir, pid);
      if (now === undefined || now !== begun) {
        onEnd();
        return true;
      }
      Atomics.wait(pause, 0, 0, LOOK_MS);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return false;
}

/** The numbers of all processes. Empty where they can't be listed. */
export function processNumbers(procDir: string): Set<string> {
  try {
    return new Set(readdirSync(procDir).filter((name) => /^\d+$/.test(name)));
  } catch {
    // Whoever asks has seen a process there before; then every one of them counts as new.
    return new Set();
  }
}

/** Who started it; undefined where it is not there. */
export function parentOf(procDir: string, pid: number): string | undefined {
  return statusOf(procDir, String(pid))?.parent;
}

/** The number of an influxd that is not among `known`, or that `parent` has turned into. In one go, as `watchEnd` needs it. */
export function newInfluxd(
  procDir: string,
  known: ReadonlySet<string>,
  parent: string | undefined,
): string | undefined {
  const candidates = [...processNumbers(procDir)].filter((pid) => !known.has(pid));
  if (parent !== undefined) candidates.push(parent);
  return candidates.find((pid) => {
    const status = statusOf(procDir, pid);
    return status?.name === 'influxd' && !hasEnded(status);
  });
}

interface Status {
  readonly name: string;
  readonly state: string;
  readonly parent: string;
  readonly startTime: string;
}

/** The start time of a process that has not ended. */
function startOf(procDir: string, pid: number): string | undefined {
  const status = statusOf(procDir, String(pid));
  return status === undefined || hasEnded(status) ? undefined : status.startTime;
}

function hasEnded({ state }: Status): boolean {
  return state === 'Z' || state === 'X';
}

/** The field number of the start time in /proc/PID/stat, counted from the state, which is the third. */
const START_TIME = 19;

function statusOf(procDir: string, pid: string): Status | undefined {
  let text: string;
  try {
    text = readFileSync(join(procDir, pid, 'stat'), 'utf8');
  } catch {
    // Ended, which is what is asked.
    return undefined;
  }
  const end = text.lastIndexOf(')');
  const [state = '', parent = '', ...rest] = text.slice(end + 2).split(' ');
  return {
    name: text.slice(text.indexOf('(') + 1, end),
    state,
    parent,
    startTime: rest[START_TIME - 2] ?? '',
  };
}
