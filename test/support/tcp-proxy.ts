// A TCP proxy on loopback that does to a connection what networks do: cut it, delay it, swallow the replies, leave it half open.
import { createServer, connect, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Breaks all connections (reset) and refuses new ones until `heal`. */
  cut(): void;
  /** Lets new connections through again, and ends `swallowReplies`, `delay` and `holdHalfOpen`. */
  heal(): void;
  /** Requests go through, replies are thrown away. Connections of such a time never recover: cut them afterwards. */
  swallowReplies(isOn: boolean): void;
  /** Milliseconds by which each piece is held back, in each direction. */
  delay(ms: number): void;
  /** Nothing goes through in either direction and nobody is told: connections stay open, new ones are accepted. */
  holdHalfOpen(isOn: boolean): void;
  stop(): Promise<void>;
}

interface Weather {
  isCut: boolean;
  isSwallowing: boolean;
  isHeld: boolean;
  delayMs: number;
}

const CLEAR: Weather = { isCut: false, isSwallowing: false, isHeld: false, delayMs: 0 };

/** Forwards to a port of 127.0.0.1. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const weather = { ...CLEAR };
  const sockets = new Set<Socket>();

  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    keep(client);
    if (weather.isCut) {
      client.once('error', () => undefined); // its end is what was asked for
      breakOff(client);
      return;
    }
    const target = connect(targetPort, '127.0.0.1');
    keep(target);
    forward(client, target, () => weather, false);
    forward(target, client, () => weather, true);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no TCP port');

  const breakAll = (): void => {
    for (const socket of sockets) breakOff(socket);
  };
  return {
    port: address.port,
    cut: () => {
      weather.isCut = true;
      breakAll();
    },
    heal: () => {
      Object.assign(weather, CLEAR);
    },
    swallowReplies: (isOn) => {
      weather.isSwallowing = isOn;
    },
    delay: (ms) => {
      weather.delayMs = ms;
    },
    holdHalfOpen: (isOn) => {
      weather.isHeld = isOn;
    },
    stop: async () => {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Passes on what `from` says, as the weather of the moment allows; held-back pieces are lost, as on a dead line. */
function forward(from: Socket, to: Socket, weather: () => Weather, isReply: boolean): void {
  from.on('data', (piece) => {
    const { isHeld, isSwallowing, delayMs } = weather();
    if (isHeld || (isReply && isSwallowing)) return;
    if (delayMs === 0) {
      if (to.writable) to.write(piece);
      return;
    }
    setTimeout(() => {
      if (to.writable) to.write(piece);
    }, delayMs);
  });
  // An end or an error on one side is one on the other; nobody here needs its reason.
  from.on('error', () => breakOff(to));
  from.on('close', () => to.destroy());
}

/** By a reset; where its own end is already on its way, Node's reset fails and leaves the socket open for ever. */
function breakOff(socket: Socket): void {
  if (socket.writableEnded || socket.readableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
