// Whether the gateway may serve addresses that other machines can reach: only where clients have to log in, or where a
// person said that the network itself keeps strangers out.
import { formatAddress, isLoopback } from '../../shared/config/address.js';
import type { GatewayConfig } from '../../shared/config/config.js';
import { AppError } from '../../shared/errors/app-error.js';

type Exposure = Pick<GatewayConfig, 'bindAddress' | 'insecure'>;

/** @param isAuthOn whether clients have to log in; it can change while the gateway runs, where influxd decides it. */
export function mayServe({ bindAddress, insecure }: Exposure, isAuthOn: boolean): boolean {
  return insecure || isAuthOn || isLoopback(bindAddress.host);
}

/** @throws AppError `config-invalid`, 403 for a client, where `mayServe` says no. */
export function assertMayServe(config: Exposure, isAuthOn: boolean): void {
  if (mayServe(config, isAuthOn)) return;
  throw new AppError(
    'config-invalid',
    `gateway.bind-address is ${formatAddress(config.bindAddress)}, which other machines can reach, and clients are not asked who they are; ` +
      'listen on 127.0.0.1, let clients log in (gateway.auth = "on", with an admin user), or set gateway.insecure = true where the network itself keeps strangers out',
    { status: 403 },
  );
}
