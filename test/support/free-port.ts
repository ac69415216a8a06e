// Finds a TCP port on loopback that nobody listens on right now; it does not reserve it.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the ports that the kernel gives to outgoing connections (from 32768 on Linux): one of those could take the port while
 * the server that belongs there is stopped, and it would not come back.
 */
const FIRST_PORT = 15_000;
const LAST_PORT = 32_000;

/** So many ports in a row are taken only where something else is wrong. */
const ATTEMPTS = 50;

/** A free port of 127.0.0.1. Somebody else may take it before you do: use it at once. */
export async function freePort(): Promise<number> {
  for (let attempt = 1; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${FIRST_PORT} to ${LAST_PORT} in ${ATTEMPTS} attempts`);
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
