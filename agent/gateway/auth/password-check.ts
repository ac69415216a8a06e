// Judges passwords: bcrypt once for each (hash, password), then a salted fast hash. Wrong ones are remembered too, and how often
// one client may have bcrypt run for one user is limited. Nothing here can be turned back into a password.
import { createHmac, randomBytes } from 'node:crypto';
import { AppError } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import { Failures } from '../../../shared/peer-auth/failures.js';
import type { BcryptPool } from './bcrypt-pool.js';

export type PasswordVerdict =
  | { readonly kind: 'right' }
  | { readonly kind: 'wrong' }
  /** Not looked at: too many unknown passwords for this user from this client, or too much else to do. */
  | { readonly kind: 'limited'; readonly retryAfterSeconds: number };

export interface PasswordQuestion {
  readonly user: string;
  readonly password: string;
  /** The user's, of this moment: with a new one everything that is remembered of the one before is void. */
  readonly hash: string;
  /** Address of the client. */
  readonly address: string;
}

export interface PasswordCheckDeps {
  readonly bcrypt: Pick<BcryptPool, 'compare'>;
  /** Runs of bcrypt per user, address and minute. */
  readonly maxPerMinute: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** Users whose password is remembered; more than any cluster has. An entry is some 200 bytes. */
const MAX_RIGHT = 10_000;
/** A program with a wrong password sends the same one for ever: few entries do. */
const MAX_WRONG = 10_000;

/** Where the threads have too much to do: by then the queue has moved on. */
const BUSY_SECONDS = 1;

export class PasswordCheck {
  /** Of this process: a digest in a core dump can't be looked up in a table. */
  private readonly key = randomBytes(32);
  /** Bcrypt hash → digest of the one password that fits it. */
  private readonly right = new Map<string, string>();
  /** Digests, which the bcrypt hash is part of. */
  private readonly wrong = new Set<string>();
  private readonly underWay = new Map<string, Promise<PasswordVerdict>>();
  private readonly runs: Failures;

  constructor(private readonly deps: PasswordCheckDeps) {
    this.runs = new Failures({ maxPerMinute: deps.maxPerMinute, clock: deps.clock });
  }

  /** Rejects only with AppError `aborted`, at the signal; the run goes on then, for who asks next. */
  async check(question: PasswordQuestion, signal: AbortSignal): Promise<PasswordVerdict> {
    const { hash, password } = question;
    const digest = createHmac('sha256', this.key).update(`${hash}\0${password}`).digest('base64');
    if (this.right.get(hash) === digest) return { kind: 'right' };
    if (this.wrong.has(digest)) return { kind: 'wrong' };
    return untilAborted(this.underWay.get(digest) ?? this.begin(question, digest), signal);
  }

  private begin(question: PasswordQuestion, digest: string): Promise<PasswordVerdict> {
    const { user, address } = question;
    const retryAfterSeconds = this.runs.note(`${address}\0${user}`);
    if (retryAfterSeconds !== undefined) {
      return Promise.resolve({ kind: 'limited', retryAfterSeconds });
    }
    const run = this.run(question, digest).finally(() => this.underWay.delete(digest));
    this.underWay.set(digest, run);
    return run;
  }

  private async run(question: PasswordQuestion, digest: string): Promise<PasswordVerdict> {
    const { address, password, hash } = question;
    const outcome = await this.deps.bcrypt.compare(address, password, hash);
    if (outcome === 'busy') return { kind: 'limited', retryAfterSeconds: BUSY_SECONDS };
    if (outcome === 'right') {
      this.right.delete(hash);
      this.right.set(hash, digest);
      forgetOldest(this.right, MAX_RIGHT);
    } else {
      this.wrong.add(digest);
      forgetOldest(this.wrong, MAX_WRONG);
    }
    return { kind: outcome };
  }
}

/** Maps and sets keep the order in which entries came. */
function forgetOldest(
  entries: {
    readonly size: number;
    keys(): Iterable<string>;
    delete(key: string): boolean;
  },
  max: number,
): void {
  if (entries.size <= max) return;
  const [oldest] = entries.keys();
  if (oldest !== undefined) entries.delete(oldest);
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(new AppError('aborted', 'checking a password: stopped'));
    };
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    void work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}
