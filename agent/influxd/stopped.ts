// Whether the local influxd is stopped, judged by its ports and by the processes of this machine. Silence is no proof: what
// can't be seen is `unknown`, with the reason, and only a person may overrule that.
import { connect } from 'node:net';
import type { Address } from '../../shared/config/address.js';
import { formatAddress, isWide } from '../../shared/config/address.js';
import { errorCode } from './meta-file.js';
import { findInfluxdProcesses } from './processes.js';

export type RunState =
  | { readonly kind: 'stopped' }
  /** `pid`: of the process, where it was told by that and not by a port. */
  | { readonly kind: 'running'; readonly why: string; readonly pid?: number }
  /** `pid`: of an influxd on a directory that can't be seen. `isHidden`: nothing speaks for a running influxd, but there are processes that can't be seen from here. */
  | {
      readonly kind: 'unknown';
      readonly why: string;
      readonly pid?: number;
      readonly isHidden?: true;
    };

export interface RunStateOptions {
  /** influxd's HTTP address. */
  readonly url: string;
  readonly snapshotAddress: Address;
  readonly metaDir: string;
  /** `/proc` but in tests. */
  readonly procDir?: string;
  /** Processes that are known to be other influxds, where nothing else can be seen of them. */
  readonly others?: ReadonlySet<number>;
}

/** A local port that takes longer is behind a firewall that drops, and tells nothing. */
const PROBE_DEADLINE_MS = 1_000;

/**
 * `stopped` only where both ports refuse and no influxd process on this meta directory is there, all processes being seen.
 * An influxd that is still opening its shards listens nowhere: only its process shows it.
 */
export async function influxdRunState(options: RunStateOptions): Promise<RunState> {
  const probes = await Promise.all([probe(addressOf(options.url)), probe(options.snapshotAddress)]);
  const processes = await findInfluxdProcesses(options.metaDir, options.procDir ?? '/proc');
  const isOther = (state: RunState) =>
    state.kind === 'unknown' && state.pid !== undefined && options.others?.has(state.pid);
  const states = [...probes, ...processes.filter((state) => isOther(state) !== true)];
  const unknown = states.filter((state) => state.kind === 'unknown');
  return (
    states.find(({ kind }) => kind === 'running') ??
    unknown.find(({ isHidden }) => isHidden !== true) ??
    unknown[0] ?? { kind: 'stopped' }
  );
}

function addressOf(url: string): Address {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return { host, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
}

function probe(address: Address): Promise<RunState> {
  const name = formatAddress(address);
  return new Promise((resolve) => {
    const host = isWide(address.host) ? '127.0.0.1' : address.host;
    const socket = connect({ host, port: address.port });
    const end = (state: RunState) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(state);
    };
    const timer = setTimeout(() => {
      end({ kind: 'unknown', why: `${name} neither answers nor refuses` });
    }, PROBE_DEADLINE_MS);
    socket.once('connect', () => {
      end({ kind: 'running', why: `something listens on ${name}` });
    });
    socket.on('error', (error) => {
      const isRefused = errorCode(error) === 'ECONNREFUSED';
      end(isRefused ? { kind: 'stopped' } : { kind: 'unknown', why: `${name}: ${error.message}` });
    });
  });
}
