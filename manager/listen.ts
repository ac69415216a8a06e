// Binds the manager's port, and says in one sentence why it cannot.
import type { AddressInfo } from 'node:net';
import { formatAddress, type Address } from '../shared/config/address.js';
import { AppError, messageOf } from '../shared/errors/app-error.js';
import type { App } from './http/app.js';

/** Tried in this order; the first that the machine has. */
const HOSTS: Readonly<Record<string, readonly string[]>> = {
  // All addresses: IPv6 with IPv4 where the machine has it, else IPv4 alone.
  '': ['::', '0.0.0.0'],
  // Given this name, the HTTP library would make a second server, without our limits and without new certificates.
  localhost: ['127.0.0.1', '::1'],
};

/**
 * Listens and returns what was bound (port 0 is a free one; host '' is all addresses). Throws AppError `address-in-use` or
 * `config-invalid`.
 */
export async function listen(app: App, wanted: Address): Promise<Address> {
  const hosts = HOSTS[wanted.host] ?? [wanted.host];
  let failure: unknown;
  for (const host of hosts) {
    try {
      await app.listen({ host, port: wanted.port });
      const { port } = app.server.address() as AddressInfo;
      return { host: wanted.host, port };
    } catch (error) {
      // The next host is tried where the machine does not have this kind of address; anything else is final.
      failure = error;
      if (!isUnavailable(error)) break;
    }
  }
  throw explained(failure, wanted);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function isUnavailable(error: unknown): boolean {
  return ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(codeOf(error));
}

function explained(cause: unknown, wanted: Address): AppError {
  const where = `manager.bind-address ${formatAddress(wanted)}`;
  if (codeOf(cause) === 'EADDRINUSE') {
    return new AppError(
      'address-in-use',
      `${where} is in use by another program (perhaps another manager); stop that one or choose another port`,
      { cause },
    );
  }
  return new AppError('config-invalid', `${where} cannot be bound: ${messageOf(cause)}`, { cause });
}
