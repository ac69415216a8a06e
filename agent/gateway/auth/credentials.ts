// Which credentials a request brings, in the order in which influxd looks: the URL's u and p, then the header Authorization.
// It judges none of them. Beyond InfluxDB 1.6 it knows `Token user:password`, as 1.8 does.

export type Credentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string }
  /** None, or none that can be read. */
  | { readonly kind: 'none' };

const NONE: Credentials = { kind: 'none' };

/** What Go's strict decoder takes. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** @param query of the URL alone: influxd reads no credentials from a form. */
export function credentialsOf(
  query: URLSearchParams,
  authorization: string | undefined,
): Credentials {
  const user = query.get('u') ?? '';
  const password = query.get('p') ?? '';
  // One without the other counts as none, and the header decides.
  if (user !== '' && password !== '') return { kind: 'password', user, password };
  return authorization === undefined ? NONE : ofHeader(authorization);
}

function ofHeader(header: string): Credentials {
  const parts = header.split(' ');
  const [scheme = '', rest = ''] = parts;
  if (parts.length === 2 && scheme === 'Bearer') return { kind: 'bearer', token: rest };
  // A password may have blanks, which Go's split of 1.8 refuses; whoever means `Token` gets it whole.
  if (scheme === 'Token') return pair(utf8(header.slice('Token '.length)));
  if (!/^basic $/i.test(header.slice(0, 6))) return NONE;
  const encoded = header.slice(6);
  return BASE64.test(encoded) ? pair(Buffer.from(encoded, 'base64').toString('utf8')) : NONE;
}

/** The user ends at the first colon; a password may have more. */
function pair(text: string): Credentials {
  const colon = text.indexOf(':');
  if (colon < 0) return NONE;
  return { kind: 'password', user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Node gives each byte of a header as one character. */
function utf8(header: string): string {
  return Buffer.from(header, 'latin1').toString('utf8');
}
