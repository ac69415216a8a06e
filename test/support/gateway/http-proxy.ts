// An HTTP proxy on loopback before an influxd that can be told to answer writes late, by half, or with an error, and to break off
// in the answers of queries; everything else goes through as it is.
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

/** Of reads: the connection breaks after the head, or in the middle of the body. */
export type ReadMood = 'well' | 'no-body' | 'half-body';

export interface HttpProxy {
  readonly url: string;
  /** Of writes only. */
  mood: Mood;
  /** Of SELECT statements only. */
  readMood: ReadMood;
  /** Writes that came since it was started. */
  readonly writes: number;
  stop(): Promise<void>;
}

/** Forwards to a port of 127.0.0.1. */
export async function startHttpProxy(targetPort: number): Promise<HttpProxy> {
  const state = { mood: { kind: 'well' } as Mood, readMood: 'well' as ReadMood, writes: 0 };
  const server = createServer((incoming, response) => {
    const isWrite = incoming.url?.startsWith('/write') === true;
    if (isWrite) state.writes += 1;
    const mood: Mood = isWrite ? state.mood : { kind: 'well' };
    if (mood.kind === 'error') {
      incoming.resume();
      response.writeHead(mood.status, { 'content-type': 'application/json' }).end(mood.body);
      return;
    }
    forward(incoming, response, { targetPort, mood, readMood: state.readMood });
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
    get readMood() {
      return state.readMood;
    },
    set readMood(next: ReadMood) {
      state.readMood = next;
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

interface Way {
  readonly targetPort: number;
  readonly mood: Mood;
  readonly readMood: ReadMood;
}

function forward(
  incoming: IncomingMessage,
  response: ServerResponse,
  { targetPort: port, mood, readMood }: Way,
): void {
  const { method, url: path, headers } = incoming;
  let asked = '';
  const onward = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
    // The agent's own statements, of which it lives, begin with other words.
    const isSelect = path?.startsWith('/query') === true && /(^|&)q=SELECT/i.test(asked);
    if (isSelect && readMood !== 'well') breakOff(answer, response, readMood);
    else void reply(answer, response, mood);
  });
  // influxd is away, or the client is: what is left of the exchange ends too.
  onward.once('error', () => response.destroy());
  response.once('close', () => onward.destroy());
  incoming.on('data', (piece: Buffer) => (asked += piece.toString('latin1').slice(0, MAX_ASKED)));
  incoming.pipe(onward);
}

/** Of a request's body: its statement begins it. */
const MAX_ASKED = 200;

function breakOff(answer: IncomingMessage, response: ServerResponse, mood: ReadMood): void {
  response.writeHead(answer.statusCode ?? 502, answer.headers);
  response.flushHeaders();
  answer.once('error', () => response.destroy());
  answer.once('data', (piece: Buffer) => {
    if (mood === 'no-body') response.destroy();
    else response.write(piece.subarray(0, piece.length / 2), () => response.destroy());
  });
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
