// What lies in etcd, read by its own HTTP gateway: none of our code stands between.

export interface RawKey {
  readonly key: string;
  readonly value: string;
}

const ANSWER_WITHIN_MS = 5_000;

/** All keys below a prefix, in order. */
export async function rawKeys(etcdUrl: string, prefix: string): Promise<RawKey[]> {
  const body = await ask(etcdUrl, 'kv/range', {
    key: encode(prefix),
    // The prefix with its last byte one higher: everything that begins with it.
    range_end: encode(
      `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`,
    ),
  });
  const { kvs = [] } = body as { kvs?: { key: string; value?: string }[] };
  return kvs.map(({ key, value = '' }) => ({ key: decode(key), value: decode(value) }));
}

/** A call of etcd's JSON gateway, e.g. `maintenance/status`; with a token where it asks who calls. */
export async function ask(
  etcdUrl: string,
  call: string,
  request: object,
  token?: string,
): Promise<unknown> {
  const answer = await fetch(`${etcdUrl}/v3/${call}`, {
    method: 'POST',
    ...(token === undefined ? {} : { headers: { authorization: token } }),
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`etcd ${call}: ${answer.status} ${text}`);
  return JSON.parse(text) as unknown;
}

export function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decode(text: string): string {
  return Buffer.from(text, 'base64').toString();
}
