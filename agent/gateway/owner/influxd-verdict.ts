// What influxd's answer to a batch means: applied, refused for good, too large, its metadata lags behind, or passing. Pure; the
// texts are those of InfluxDB 1.6 to 1.8.
import type { ApplyOutcome } from './port.js';

export type Verdict =
  | Extract<ApplyOutcome, { kind: 'applied' | 'refused' | 'too-large' | 'failed' }>
  /** It has no such database or policy. Whether that is final the cluster's metadata says. */
  | { readonly kind: 'lacks'; readonly text: string }
  /** It does not take the agent's account, or the account may not write. */
  | { readonly kind: 'denied'; readonly status: number };

const LACKS_DATABASE = /^database not found: /;
const LACKS_POLICY = /^retention policy not found: /;
/** After its write-timeout influxd answers, and goes on writing. */
const GIVEN_UP = 'timeout';
const DROPPED = /\bdropped=(\d+)/;

/** @param points how many the batch has. */
export function judge(status: number, body: string, points: number): Verdict {
  const text = errorOf(body);
  if (status === 204 || status === 200) return { kind: 'applied' };
  if (status === 413) return { kind: 'too-large' };
  if (status === 401 || status === 403) return { kind: 'denied', status };
  if (text === undefined) {
    return { kind: 'failed', why: `influxd answered ${status} without words of its own` };
  }
  if (status === 400) return { kind: 'refused', text, dropped: droppedOf(text, points) };
  if (status === 404 && LACKS_DATABASE.test(text)) return { kind: 'lacks', text };
  if (status === 500 && LACKS_POLICY.test(text)) return { kind: 'lacks', text };
  const why = `influxd answered ${status}: ${text}`;
  return text === GIVEN_UP ? { kind: 'failed', why, isHeld: true } : { kind: 'failed', why };
}

/** influxd's own errors are JSON; what a proxy, or Go's server, says of a request is not, and is no word on the points. */
function errorOf(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    return typeof error === 'string' ? error : undefined;
  } catch {
    // Text of somebody else.
    return undefined;
  }
}

/** `partial write` counts what it left out, lines that don't parse excepted; without that word nothing was written. */
function droppedOf(text: string, points: number): number {
  const said = DROPPED.exec(text)?.[1];
  if (said === undefined) return points;
  return Math.min(points, Math.max(Number(said), unparsedIn(text)));
}

function unparsedIn(text: string): number {
  return text.split('\n').filter((line) => line.includes("unable to parse '")).length;
}
