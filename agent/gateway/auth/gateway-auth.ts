// Who sends a request to the gateway: checked against the cluster's users, with influxd's rules and words. It knows nothing of
// statements (authorize.ts does) and sends nothing by itself.
import type { IncomingMessage } from 'node:http';
import { AppError } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { MetadataView, UserInfo } from '../metadata/port.js';
import { createBcryptPool, type BcryptPool } from './bcrypt-pool.js';
import { ANYBODY, callerOf, NOBODY } from './callers.js';
import { clientOf } from './client-address.js';
import { credentialsOf, type Credentials } from './credentials.js';
import { verifyToken } from './json-web-token.js';
import { PasswordCheck } from './password-check.js';
import type { Authentication, GatewayAuth } from './port.js';

export interface GatewayAuthDeps {
  /** `gateway.auth`. */
  readonly mode: 'auto' | 'on' | 'off';
  readonly metadata: Pick<MetadataView, 'current'>;
  /** False before this node has heard of its cluster: then nobody may make himself the first admin. */
  readonly isMetadataKnown: () => boolean;
  /** What the local influxd does (AuthProbe); undefined: it has not said. */
  readonly influxd: {
    /** Whether it asks for credentials. */
    readonly asks: boolean | undefined;
    /** Whether it has an admin; undefined also where it does not ask. */
    readonly hasAdmin: boolean | undefined;
  };
  /** influxd's shared secret, where the agent has it; without it no token is taken. */
  readonly jwtSecret?: (() => string | undefined) | undefined;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  /** `gateway.max-auth-failures`: runs of bcrypt per user, address and minute. */
  readonly maxFailuresPerMinute: number;
  /** One of its own where absent. */
  readonly bcrypt?: BcryptPool;
}

export interface ClosableGatewayAuth extends GatewayAuth {
  close(): Promise<void>;
}

export function createGatewayAuth(deps: GatewayAuthDeps): ClosableGatewayAuth {
  return new ClusterAuth(deps, deps.bcrypt ?? createBcryptPool());
}

const FAILED = refused('authorization failed');

class ClusterAuth implements ClosableGatewayAuth {
  private readonly passwords: PasswordCheck;
  /** Of this metadata version's users; looking through them for each request would cost more than the rest. */
  private admins: { readonly of: object; readonly hasOne: boolean } | undefined;

  constructor(
    private readonly deps: GatewayAuthDeps,
    private readonly bcrypt: BcryptPool,
  ) {
    const { clock, maxFailuresPerMinute: maxPerMinute } = deps;
    this.passwords = new PasswordCheck({ bcrypt, clock, maxPerMinute });
  }

  get isOn(): boolean {
    const { mode, influxd } = this.deps;
    // What is not known counts as asked for: a request refused in the first second is better than one too many taken.
    return mode === 'auto' ? (influxd.asks ?? true) : mode === 'on';
  }

  async authenticate(
    request: IncomingMessage,
    query: URLSearchParams,
    signal: AbortSignal,
  ): Promise<Authentication> {
    if (!this.isOn) return { kind: 'accepted', caller: ANYBODY };
    const result = await this.check(request, query, signal);
    // Called unauthorized, a client throws its points away; perhaps nobody has to log in here.
    if (!this.isSettled && result.kind !== 'accepted') throw modeUnknown();
    return result;
  }

  async close(): Promise<void> {
    await this.bcrypt.close();
  }

  private async check(
    request: IncomingMessage,
    query: URLSearchParams,
    signal: AbortSignal,
  ): Promise<Authentication> {
    // As influxd, which then looks at no credentials at all.
    if (this.isBootstrap) return { kind: 'bootstrap', caller: NOBODY };
    const credentials = credentialsOf(query, request.headers.authorization);
    if (credentials.kind !== 'none' && !this.areUsersKnown) throw usersUnknown();
    switch (credentials.kind) {
      case 'none':
        return refused('unable to parse authentication credentials');
      case 'bearer':
        return this.byToken(credentials.token);
      case 'password':
        return this.byPassword(credentials, clientOf(request.socket.remoteAddress), signal);
    }
  }

  private async byPassword(
    { user: name, password }: Credentials & { kind: 'password' },
    address: string,
    signal: AbortSignal,
  ): Promise<Authentication> {
    if (name === '') return refused('username required');
    const user = this.users.get(name);
    if (user === undefined) return FAILED;
    const question = { user: name, password, hash: user.hash, address };
    const verdict = await this.passwords.check(question, signal);
    switch (verdict.kind) {
      case 'right':
        return { kind: 'accepted', caller: callerOf(user) };
      case 'wrong':
        return FAILED;
      case 'limited':
        return verdict;
    }
  }

  private byToken(token: string): Authentication {
    const secret = this.deps.jwtSecret?.() ?? '';
    // Spelt as influxd spells it.
    if (secret === '') return refused('bearer auth disabld');
    const verdict = verifyToken(token, secret, this.deps.clock.nowMs());
    if (verdict.kind === 'refused') return refused(verdict.error);
    const user = this.users.get(verdict.user);
    if (user === undefined) return refused('user not found');
    return { kind: 'accepted', caller: callerOf(user) };
  }

  /** Whether clients have to log in is known. */
  private get isSettled(): boolean {
    const { mode, influxd } = this.deps;
    return mode !== 'auto' || influxd.asks !== undefined;
  }

  /** Not yet in the moment between an agent's first answer of a manager and its push of the users that its influxd has. */
  private get areUsersKnown(): boolean {
    const { isMetadataKnown, metadata, influxd } = this.deps;
    const isEmpty = metadata.current.version === 0 && influxd.hasAdmin === true;
    return isMetadataKnown() && !isEmpty;
  }

  private get users(): ReadonlyMap<string, UserInfo> {
    return this.deps.metadata.current.users;
  }

  /**
   * Nobody could log in. Where the metadata is not known yet, or the local influxd has an admin that the cluster has not heard
   * of yet, this is no reason to let anybody become one: what the gateway runs, it runs with the agent's account.
   */
  private get isBootstrap(): boolean {
    const { isMetadataKnown, influxd } = this.deps;
    return isMetadataKnown() && influxd.hasAdmin !== true && !this.hasAdmin;
  }

  private get hasAdmin(): boolean {
    const of = this.users;
    if (this.admins?.of !== of) {
      this.admins = { of, hasOne: [...of.values()].some(({ isAdmin }) => isAdmin) };
    }
    return this.admins.hasOne;
  }
}

function usersUnknown(): AppError {
  return new AppError(
    'metadata-unknown',
    'checking credentials: this agent has not heard of the users of its cluster yet; send the request again in a moment',
    { status: 503, retryable: true, retryAfterSeconds: 1 },
  );
}

function modeUnknown(): AppError {
  return new AppError(
    'influxd-unreachable',
    'checking credentials: the local influxd has not said yet whether clients have to log in (gateway.auth is "auto"); send the request again in a moment',
    { status: 503, retryable: true, retryAfterSeconds: 1 },
  );
}

function refused(error: string): Authentication {
  return { kind: 'refused', status: 401, error };
}
