// Limits the guessing of tokens, per remote address. An address that has used up its failures is told so for the rest of
// the minute, but for tokens that have already been good from it: whoever guesses behind the same address locks nobody out.
import { isIPv6 } from 'node:net';

/** Failures are counted in windows of this length. */
export const WINDOW_MS = 60_000;

/** Addresses that are remembered; beyond, those unheard of for longest go. A machine has at least a /64 of IPv6. */
export const MAX_ADDRESSES = 10_000;

interface Past {
  windowStartMs: number;
  failures: number;
  /** Names of the tokens that were good from here; no more than the token file has lines. */
  readonly good: Set<string>;
}

export type Verdict =
  | { readonly kind: 'ok' }
  /** The first failure of its window, or another one; the first is worth a line in the log. */
  | { readonly kind: 'failed'; readonly isFirst: boolean }
  | { readonly kind: 'limited'; readonly retryAfterSeconds: number };

export interface AuthFailuresOptions {
  /** Wrong tokens per address and minute (`manager.max-auth-failures`). */
  readonly maxPerMinute: number;
  readonly monotonicMs: () => number;
}

export class AuthFailures {
  /** In the order of their last use. */
  private readonly pasts = new Map<string, Past>();

  constructor(private readonly options: AuthFailuresOptions) {}

  /** Addresses that are remembered. */
  get size(): number {
    return this.pasts.size;
  }

  /**
   * Notes one try with a token and judges it.
   * @param token the name of the line that it matched; undefined: it matched none.
   */
  judge(address: string, token: string | undefined): Verdict {
    const past = this.pastOf(networkOf(address));
    const passedMs = this.options.monotonicMs() - past.windowStartMs;
    if (passedMs >= WINDOW_MS) {
      past.windowStartMs += passedMs;
      past.failures = 0;
    }
    const isOver = past.failures >= this.options.maxPerMinute;
    if (token !== undefined && (!isOver || past.good.has(token))) {
      past.good.add(token);
      return { kind: 'ok' };
    }
    if (isOver) {
      const restMs = Math.min(WINDOW_MS, WINDOW_MS - passedMs);
      return { kind: 'limited', retryAfterSeconds: Math.max(1, Math.ceil(restMs / 1_000)) };
    }
    past.failures += 1;
    return { kind: 'failed', isFirst: past.failures === 1 };
  }

  private pastOf(network: string): Past {
    const known = this.pasts.get(network);
    if (known !== undefined) {
      this.pasts.delete(network);
      this.pasts.set(network, known);
      return known;
    }
    const past = {
      windowStartMs: this.options.monotonicMs(),
      failures: 0,
      good: new Set<string>(),
    };
    this.pasts.set(network, past);
    const oldest = this.pasts.keys().next();
    if (this.pasts.size > MAX_ADDRESSES && oldest.done !== true) this.pasts.delete(oldest.value);
    return past;
  }
}

/** IPv4 as it is, also where it is written as IPv6; of IPv6 the first 64 bits. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  const plain = address.split('%')[0] ?? address;
  if (!isIPv6(plain)) return address;
  const [head = '', tail] = plain.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  const groups = tail === undefined ? before : [...before, ...zeros, ...after];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
