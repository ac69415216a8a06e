// Tells at once that the local influxd has ended: a connection on which nothing is said breaks then, however quickly it is
// started again. It asks influxd nothing, and what a proxy before it closes by itself counts as an end too.
import { connect, type Socket } from 'node:net';
import { withDeadline, unreachable } from './deadline.js';

/** A connection to the same machine, as a rule. */
const CONNECT_MS = 2_000;
/** Where influxd is elsewhere: a machine that is gone closes nothing. */
const KEEP_ALIVE_MS = 10_000;

export class RunWatch {
  private current: { readonly socket: Socket; readonly run: AbortSignal } | undefined;

  /** `url`: influxd's, e.g. `http://127.0.0.1:8086`. */
  constructor(private readonly url: string) {}

  /**
   * Resolves, connected, to a signal that is aborted once the influxd that answers now has ended; the same one until then.
   * Throws AppError `influxd-unreachable` or `aborted`.
   */
  async watch(signal?: AbortSignal): Promise<AbortSignal> {
    if (this.current !== undefined) return this.current.run;
    const what = `watching influxd at ${new URL(this.url).origin}`;
    return withDeadline({ what, deadlineMs: CONNECT_MS, signal }, (limit) =>
      this.open(what, limit),
    );
  }

  close(): void {
    this.current?.socket.destroy();
  }

  private open(what: string, limit: AbortSignal): Promise<AbortSignal> {
    const ended = new AbortController();
    const socket = connect(whereOf(this.url));
    return new Promise((resolve, reject) => {
      const stop = () => socket.destroy();
      limit.addEventListener('abort', stop, { once: true });
      socket.once('connect', () => {
        limit.removeEventListener('abort', stop);
        socket.setKeepAlive(true, KEEP_ALIVE_MS);
        socket.resume();
        this.current = { socket, run: ended.signal };
        resolve(ended.signal);
      });
      let failure: Error | undefined;
      socket.once('error', (error) => {
        failure = error;
      });
      socket.once('close', () => {
        limit.removeEventListener('abort', stop);
        if (this.current?.socket === socket) this.current = undefined;
        ended.abort();
        reject(unreachable(what, failure?.message ?? 'the connection was closed', failure));
      });
    });
  }
}

function whereOf(text: string): { readonly host: string; readonly port: number } {
  const { hostname, port, protocol } = new URL(text);
  const host = hostname.replace(/^\[|\]$/g, '');
  return { host, port: Number(port) || (protocol === 'https:' ? 443 : 80) };
}
