// Finds a TCP port on loopback that nobody listens on right now; it does not reserve it.
import { createServer } from 'node:net';

/** A free port of 127.0.0.1. Somebody else may take it before you do: use it at once. */
export async function freePort(): Promise<number> {
  const server = createServer();
  return await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close((error) => {
        if (error !== undefined) reject(error);
        else if (address === null || typeof address === 'string')
          reject(new Error('no TCP address'));
        else resolve(address.port);
      });
    });
  });
}
