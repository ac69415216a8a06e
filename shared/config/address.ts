// Addresses of the form host:port: reading them, printing them, and finding the one that other machines are told.
import { networkInterfaces } from 'node:os';

/** Where something listens or is reached. Host '' means all addresses; port 0 means a free one. */
export interface Address {
  /** A name, an IPv4 or an IPv6 address without brackets; '' for all addresses. */
  readonly host: string;
  readonly port: number;
}

/** `:8000`, `127.0.0.1:8000`, `[::1]:80`, `name:8000`; undefined where the text is none of these. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^\s:/[\]]*)):(\d{1,5})$/.exec(text.trim());
  if (!match) return undefined;
  const [, bracketed, plain = '', digits = ''] = match;
  const port = Number(digits);
  return port > 65_535 ? undefined : { host: bracketed ?? plain, port };
}

/** The inverse of `parseAddress`: IPv6 in brackets. */
export function formatAddress(address: Address): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** True for the hosts that mean every address of the machine. */
export function isWide(host: string): boolean {
  return host === '' || host === '0.0.0.0' || host === '::';
}

/** True where only this machine can connect. Names other than localhost count as reachable from elsewhere. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * What others are told: the configured address where there is one, else the bound one where it names a host, else the
 * first address of the machine that is not loopback (IPv4 first), and loopback where there is no other.
 * `port` is the one that was really bound (port 0 in the configuration is a free one).
 */
export function advertisedAddress(
  bound: Address,
  configured: Address | undefined,
  interfaces: () => NodeJS.Dict<
    { address: string; family: string; internal: boolean }[]
  > = networkInterfaces,
): Address {
  if (configured !== undefined) {
    return configured.port === 0 ? { host: configured.host, port: bound.port } : configured;
  }
  if (!isWide(bound.host)) return bound;
  const addresses = Object.values(interfaces()).flatMap((list) => list ?? []);
  const reachable = addresses.filter((each) => !each.internal && !each.address.startsWith('fe80:'));
  const chosen = reachable.find((each) => each.family === 'IPv4') ?? reachable[0];
  return { host: chosen?.address ?? '127.0.0.1', port: bound.port };
}

/** `http://host:port`, as written into ready files and answers. */
export function addressUrl(address: Address, scheme: 'http' | 'https' = 'http'): string {
  const host = isWide(address.host) ? '127.0.0.1' : address.host;
  return `${scheme}://${formatAddress({ host, port: address.port })}`;
}
