// The limits of connections, below the routes: how many, how large their heads, how slow they may be; and TLS, whose
// certificates can be replaced while it runs. It trusts no header about who is at the other end.
import { Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { MIN_TLS_VERSION, type Certificates } from '../../../shared/security/certificates.js';
import type { App } from '../app.js';
import type { Limits } from '../deps.js';

/** A head is small, so it must be there sooner than a body of 64 MiB. */
const HEADERS_TIMEOUT_MS = 15_000;

/** Node looks for late requests this often by default; a shorter limit is worth nothing if it looks more rarely. */
const CHECK_EVERY_MS = 30_000;

/** Typed as plain HTTP, because nothing in the API depends on which it is. */
export function serverOptions(served: ServedCertificates | undefined, limits: Limits): object {
  const { maxHeaderBytes, requestTimeoutMs } = limits;
  const http = {
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
    connectionsCheckingInterval: Math.min(CHECK_EVERY_MS, Math.ceil(requestTimeoutMs / 2)),
  };
  if (served === undefined) return { http };
  const { initial } = served;
  const asked = { requestCert: true, rejectUnauthorized: true };
  return {
    https: { ...http, ...contextOf(initial), ...(initial.ca === undefined ? {} : asked) },
  };
}

export function limitConnections(app: App, { maxConnections, requestTimeoutMs }: Limits): void {
  app.server.maxConnections = maxConnections;
  app.addHook('onSend', (request, _reply, payload, done) => {
    // From here on bytes must move: a reader that takes nothing of its answer would keep it in our memory. Waiting for
    // the answer has no such limit. Node ends an idle socket at this timeout, and sets its own when the answer is out.
    const { socket } = request.raw;
    // Requests that are injected have no real one.
    if (socket instanceof Socket) socket.setTimeout(requestTimeoutMs);
    done(null, payload);
  });
}

/** The certificates that the server shows, which can be replaced while it runs. */
export class ServedCertificates {
  private server: TlsServer | undefined;
  private generation = 0;
  private readonly bornIn = new WeakMap<object, number>();

  constructor(readonly initial: Certificates) {}

  /** Called once, by the app that serves them. */
  attach(app: App): void {
    this.server = app.server as unknown as TlsServer;
    this.server.on('secureConnection', (socket: object) => {
      this.bornIn.set(socket, this.generation);
    });
    app.addHook('onRequest', (request, reply, done) => {
      const isOld = this.bornIn.get(request.raw.socket) !== this.generation;
      if (isOld) void reply.header('connection', 'close');
      done();
    });
  }

  /**
   * Shows others: to new connections at once; those that are there end after their next answer, so that whom the old
   * authority let in does not stay, and no call fails. Throws where TLS can't use them; then nothing has changed.
   */
  replace(certificates: Certificates): void {
    this.server?.setSecureContext(contextOf(certificates));
    this.generation += 1;
  }
}

function contextOf({ cert, key, ca }: Certificates) {
  return { cert, key, ...(ca === undefined ? {} : { ca }), minVersion: MIN_TLS_VERSION } as const;
}
