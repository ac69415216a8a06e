// How this agent shows the managers who it is: token and certificates from their files, looked at again before calls, so
// that they can be replaced while it runs. What can't be read, or does not fit, is said once, and the last good stays.
import { readSecret } from '../../shared/config/secret-file.js';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import {
  certificateFiles,
  readCertificates,
  type CertificateFiles,
  type Certificates,
} from '../../shared/security/certificates.js';

export interface CredentialFiles {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly tokenFile?: string | undefined;
}

export interface Credentials {
  /** The first line of `agent.token-file`. */
  readonly token: string | undefined;
  readonly certificates: Certificates;
}

export interface CredentialsOptions extends CredentialFiles {
  /** Told why what a file has now can't be used, once for each reason. */
  readonly onTrouble?: (error: Error) => void;
  readonly nowMs?: () => number;
  readonly monotonicMs?: () => number;
}

/** Files are looked at this often at most, and only when there is a call to make. */
const LOOK_EVERY_MS = 1_000;

/** A change counts once two looks this far apart agree: a file that is just being written is not taken half. */
const SETTLE_MS = 100;

/** Nothing to show; for managers that ask for nothing. */
export const NO_CREDENTIALS: Credentials = {
  token: undefined,
  certificates: { cert: undefined, key: undefined, ca: undefined },
};

export class CredentialSource {
  private nextLookMs: number;
  private changing: string | undefined;
  private trouble: string | undefined;
  private looking: Promise<void> | undefined;

  private constructor(
    private readonly options: CredentialsOptions,
    private taken: Credentials,
  ) {
    this.nextLookMs = this.monotonicMs() + LOOK_EVERY_MS;
  }

  /** Throws AppError `config-invalid` for what can't be read, is expired or does not fit. */
  static async open(options: CredentialsOptions): Promise<CredentialSource> {
    return new CredentialSource(options, await read(options));
  }

  /** The same object for as long as nothing has changed. Never throws. */
  async current(): Promise<Credentials> {
    if (this.monotonicMs() >= this.nextLookMs) {
      this.looking ??= this.look().finally(() => {
        this.looking = undefined;
      });
      await this.looking;
    }
    return this.taken;
  }

  /** A manager refused what it was shown: the next call looks whether the files say something else by now. */
  refused(): void {
    this.nextLookMs = 0;
  }

  private async look(): Promise<void> {
    this.nextLookMs = this.monotonicMs() + LOOK_EVERY_MS;
    try {
      const found = await read(this.options);
      this.trouble = undefined;
      const text = JSON.stringify(found);
      if (text === JSON.stringify(this.taken)) this.changing = undefined;
      else if (text === this.changing) this.taken = found;
      else {
        this.changing = text;
        this.nextLookMs = this.monotonicMs() + SETTLE_MS;
      }
    } catch (error) {
      const reason = messageOf(error);
      if (reason === this.trouble) return;
      this.trouble = reason;
      this.options.onTrouble?.(error instanceof Error ? error : new AppError('internal', reason));
    }
  }

  private monotonicMs(): number {
    return this.options.monotonicMs?.() ?? performance.now();
  }
}

async function read(options: CredentialsOptions): Promise<Credentials> {
  const { tokenFile, caFile, certFile, keyFile, nowMs = Date.now } = options;
  const files: CertificateFiles = certificateFiles('agent', { caFile, certFile, keyFile });
  const [token, certificates] = await Promise.all([
    tokenFile === undefined ? undefined : readSecret('agent.token-file', tokenFile),
    readCertificates(files, nowMs()),
  ]);
  return { token, certificates };
}
