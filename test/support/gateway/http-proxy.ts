// An HTTP proxy on loopback before an influxd that can be told to answer writes late, by half, or with an error; everything else
// goes through as it is.
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export type Mood =
  | { readonly kind: 'well' }
  /** The request reaches influxd at once, its answer is held back for so long. */
  | { readonly kind: 'late-answer'; readonly ms: number }
  /** influxd takes it, and the connection breaks in the middle of the answer's head. */
  | { readonly kind: 'half-answer' }
  /** influxd never sees it. */
  | { readonly kind: 'error'; readonly status: number; readonly body: string };

export interface HttpProxy {
  readonly url: string;
  /** Of writes only. */
  mood: Mood;
  /** Writes that came since it was started. */
  readonly writes: number;
  stop(): Promise<void>;
}

/** Forwards to a port of 127.0.0.1. */
export async function startHttpProxy(targetPort: number): Promise<HttpProxy> {
  const state: { mood: Mood; writes: number } = { mood: { kind: 'well' }, writes: 0 };
  const server = createServer((incoming, response) => {
    const isWrite = incoming.url?.startsWith('/write') === true;
    if (isWrite) state.writes += 1;
    const mood: Mood = isWrite ? state.mood : { kind: 'well' };
    if (mood.kind === 'error') {
      incoming.resume();
      response.writeHead(mood.status, { 'content-type': 'application/json' }).end(mood.body);
      return;
    }
    forward(incoming, response, { targetPort, mood });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no TCP port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    get mood() {
      return state.mood;
    },
    set mood(next: Mood) {
      state.mood = next;
    },
    get writes() {
      return state.writes;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function forward(
  incoming: IncomingMessage,
  response: ServerResponse,
  { targetPort: port, mood }: { readonly targetPort: number; readonly mood: Mood },
): void {
  const { method, url: path, headers } = incoming;
  const onward = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
    void reply(answer, response, mood);
  });
  // influxd is away, or the client is: what is left of the exchange ends too.
  onward.once('error', () => response.destroy());
  response.once('close', () => onward.destroy());
  incoming.pipe(onward);
}

async function reply(answer: IncomingMessage, response: ServerResponse, mood: Mood): Promise<void> {
  answer.once('error', () => response.destroy());
  if (mood.kind === 'half-answer') {
    response.socket?.end('HTTP/1.1 204 No Con');
    return;
  }
  if (mood.kind === 'late-answer') await delay(mood.ms);
  response.writeHead(answer.statusCode ?? 502, answer.headers);
  answer.pipe(response);
}
