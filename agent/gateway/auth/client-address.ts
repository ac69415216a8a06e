// Which client a connection belongs to, for limits: an IPv4 address, or the network of an IPv6 one, of which a client has as many
// addresses as it likes.

/** Of an IPv6 address: /64, the least that a subscriber is given. */
const NETWORK_GROUPS = 4;
const GROUPS = 8;

/** @param address as Node has it: `10.0.0.1`, `::ffff:10.0.0.1`, `fe80::1%eth0`; undefined where the client is gone. */
export function clientOf(address: string | undefined): string {
  const plain = (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!plain.includes(':')) return plain;
  const [head = [], tail = []] = plain
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = Math.max(0, GROUPS - head.length - tail.length);
  const groups = [...head, ...Array<string>(zeros).fill('0'), ...tail];
  return groups.slice(0, NETWORK_GROUPS).join(':');
}
