// Who asks through the gateway, and what they may do.
import type { IncomingMessage } from 'node:http';

/** A client whose credentials were accepted, or anybody where the gateway asks for none. */
export interface GatewayCaller {
  /** Undefined: nobody logged in. */
  readonly user: string | undefined;
  /** May do everything: an admin, or anybody where the gateway asks for no credentials. */
  readonly isAdmin: boolean;
  /** As influxd judges a privilege: ALL includes both. */
  mayRead(database: string): boolean;
  mayWrite(database: string): boolean;
}

export type Authentication =
  | { readonly kind: 'accepted'; readonly caller: GatewayCaller }
  /** 401 with influxd's own words. */
  | { readonly kind: 'refused'; readonly status: 401; readonly error: string }
  /** The cluster has no admin yet and credentials are asked for: only CREATE USER ... WITH ALL PRIVILEGES is allowed. */
  | { readonly kind: 'bootstrap'; readonly caller: GatewayCaller }
  /** Too many wrong passwords for this user from this address. */
  | { readonly kind: 'limited'; readonly retryAfterSeconds: number };

export interface GatewayAuth {
  /**
   * Looks at u/p in the URL, Basic, Bearer (JWT) and Token. Rejects with AppError `aborted` at the signal, and with
   * `metadata-unknown` (503, retryable) while this agent has not heard of the cluster's users yet: a 401 would be final.
   */
  authenticate(
    request: IncomingMessage,
    query: URLSearchParams,
    signal: AbortSignal,
  ): Promise<Authentication>;
  /** Whether credentials are asked for, as far as it is known now. */
  readonly isOn: boolean;
}
