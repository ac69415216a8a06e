// Listening with errors that a person can act on: the platform's EADDRINUSE says neither which key nor what to do.
import type { Server } from 'node:net';
import { formatAddress, type Address } from '../config/address.js';
import { AppError, messageOf } from '../errors/app-error.js';

/**
 * Resolves once the server listens.
 * @param key the configuration key of the address, e.g. `manager.bind-address`.
 * @throws AppError `address-in-use`, or `config-invalid` where this machine does not have the address or may not use it.
 */
export function listen(server: Server, address: Address, key: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      reject(listenError(error, address, key));
    };
    server.once('error', onError);
    // Without a host node listens on all addresses, IPv6 and IPv4, or on IPv4 alone where there is no IPv6.
    const where = address.host === '' ? { port: address.port } : { ...address };
    server.listen(where, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

/** The AppError for what listening on this address failed with; for servers that listen by themselves (fastify). */
export function listenError(error: unknown, address: Address, key: string): AppError {
  const where = formatAddress(address);
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE') {
    const message = `listening on ${where} failed because another program has that port; stop it, or choose another ${key} (port 0 takes a free one)`;
    return new AppError('address-in-use', message, { cause: error });
  }
  const reason =
    code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND'
      ? 'this machine does not have that address'
      : code === 'EACCES'
        ? 'this user may not listen on that port'
        : messageOf(error);
  const message = `listening on ${where} failed because ${reason}; choose another ${key}`;
  return new AppError('config-invalid', message, { cause: error });
}
