// Asks the local influxd now and then, without credentials, whether it asks for them, and whether it has an admin at all. The
// gateway's `auth = "auto"` follows it.
import { isAbort } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import { repeat } from '../../../shared/lifecycle/repeat.js';
import type { Logger } from '../../../shared/log/logger.js';
import { withDeadline } from '../../influxd/deadline.js';
import { HttpConnections } from '../../influxd/http-exchange.js';

export interface AuthProbeDeps {
  /** `influxdb.url`. */
  readonly url: string;
  /** PEM of the authority that signed influxd's certificate, for https. */
  readonly ca?: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Changes only with a restart of influxd; until the next look the gateway asks for too much, or influxd's own account does not fit. */
const INTERVAL_MS = 30_000;
/** While nothing is known the gateway refuses everybody. */
const UNKNOWN_INTERVAL_MS = 1_000;
const DEADLINE_MS = 2_000;

/** Of a server that asks and has no admin yet: 403, where everything else gets 401. */
const NO_ADMIN = /create admin user first|no user provided/;

/** The least that can be asked where authentication counts. */
const QUESTION = '/query?q=SHOW+DATABASES';

export class AuthProbe {
  readonly name = 'auth-probe';
  readonly phase = 'workers';
  private readonly connections: HttpConnections;
  private readonly url: URL;
  private last: { readonly asks: boolean; readonly hasAdmin: boolean | undefined } | undefined;

  constructor(private readonly deps: AuthProbeDeps) {
    this.url = new URL(deps.url);
    this.connections = new HttpConnections({ url: this.url, ca: deps.ca });
  }

  /** Whether influxd asks for credentials; undefined before it has answered once. */
  get asks(): boolean | undefined {
    return this.last?.asks;
  }

  /** Whether it has an admin; undefined where it does not ask, or has not answered. */
  get hasAdmin(): boolean | undefined {
    return this.last?.hasAdmin;
  }

  /** Runs until the signal is aborted. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    await repeat(
      async () => {
        await this.look(signal);
        while (this.last === undefined) {
          await clock.sleep(UNKNOWN_INTERVAL_MS, signal);
          await this.look(signal);
        }
      },
      { intervalMs: INTERVAL_MS, clock, signal },
    );
  }

  async stop(): Promise<void> {
    this.connections.close();
  }

  /** One look. What is known stays where influxd does not answer. Rejects only with `aborted`. */
  async look(signal: AbortSignal): Promise<void> {
    const what = `asking influxd at ${this.url.origin} whether it asks for credentials`;
    try {
      const { status, text } = await withDeadline(
        { what, deadlineMs: DEADLINE_MS, signal },
        (limit) =>
          this.connections.send({
            method: 'GET',
            path: `${this.url.pathname.replace(/\/+$/, '')}${QUESTION}`,
            headers: {},
            signal: limit,
            isRepeatable: true,
          }),
      );
      this.learn(status, text);
    } catch (error) {
      if (isAbort(error) && signal.aborted) throw error;
      this.deps.logger.debug('influxd does not say whether it asks for credentials', {
        err: error,
      });
    }
  }

  private learn(status: number, text: string): void {
    const before = this.last;
    if (status === 200) this.last = { asks: false, hasAdmin: undefined };
    else if (status === 401) this.last = { asks: true, hasAdmin: true };
    else if (status === 403 && NO_ADMIN.test(text)) this.last = { asks: true, hasAdmin: false };
    // Anything else (a 503 while it starts, a proxy's word) says nothing.
    else return;
    if (before?.asks === this.last.asks) return;
    const { asks } = this.last;
    this.deps.logger.info('whether influxd asks for credentials is known', { asks });
  }
}
