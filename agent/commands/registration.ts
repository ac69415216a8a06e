// Registers this node as a running agent does, for as long as a one-off command works. What the managers say against it
// counts as it does for an agent.
import { hostname, networkInterfaces } from 'node:os';
import { advertisedAddress, formatAddress } from '../../shared/config/address.js';
import type { Config } from '../../shared/config/config.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { silentLogger } from '../../shared/log/logger.js';
import { Availability } from '../manager-api/availability.js';
import type { InfluxdFacts, MembershipApi } from '../manager-api/membership-port.js';
import type { SessionStore, Standing } from '../membership/membership.js';
import { Membership } from '../membership/membership.js';
import type { OrderBook } from '../membership/orders.js';

export interface RegistrationDeps {
  readonly config: Config;
  readonly api: MembershipApi;
  readonly state: SessionStore;
  readonly orders: OrderBook;
  readonly clock: Clock;
  /** The running influxd, where it could be asked. */
  readonly influxd: InfluxdFacts | undefined;
  /** How long to wait for a manager that is away, in ms; 0: it is tried once. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

export type Registered = Exclude<Standing, { kind: 'unregistered' }>;

/**
 * Registers, runs `work`, and ends the heartbeats; then the node is no longer alive after its TTL, or deregistered where
 * `agent.deregister-on-stop` says so. Throws AppError `manager-unreachable`, `state-unwritable`, or what `work` throws.
 */
export async function whileRegistered<T>(
  deps: RegistrationDeps,
  work: (standing: Registered, session: string) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const registration = new Registration(deps);
  const { membership } = registration;
  const running = membership.start(AbortSignal.any([deps.signal, stop.signal]));
  try {
    const failed = running.then(() => registration.ended());
    const standing = await Promise.race([registration.standing(), failed]);
    return await work(standing, membership.currentSession);
  } finally {
    stop.abort();
    // A failure to start was thrown above already.
    await running.catch(() => undefined);
    await membership.stop();
  }
}

class Registration {
  readonly membership: Membership;
  private readonly answer = deferred<Registered>();
  private readonly failure = deferred<undefined>();
  private readonly availability: Availability;

  constructor(private readonly deps: RegistrationDeps) {
    const { config, clock } = deps;
    // What goes wrong is the command's own answer; in a log beside it, it would be said twice.
    const logger = silentLogger();
    this.availability = new Availability(logger, (isAvailable) => {
      if (!isAvailable) this.failure.resolve(undefined);
    });
    this.membership = new Membership({
      cluster: config.agent.cluster,
      api: deps.api,
      state: deps.state,
      clock,
      logger,
      availability: this.availability,
      heartbeatIntervalMs: config.agent.heartbeatIntervalMs,
      deregisterOnStop: config.agent.deregisterOnStop,
      describe: () => describeNode(deps),
      report: () => ({
        version: 0,
        state: 'syncing',
        influxd: deps.influxd,
        pending: 0,
        held: undefined,
        hints: undefined,
      }),
      onOrders: (orders) => deps.orders.note(orders),
      onStanding: (standing) => {
        if (standing.kind !== 'unregistered') this.answer.resolve(standing);
      },
      onNews: () => undefined,
      onDataPlaneNews: () => undefined,
    });
  }

  /** The managers' answer. Throws `manager-unreachable` where none came at the first try nor within the wait. */
  async standing(): Promise<Registered> {
    const { clock, waitMs } = this.deps;
    const over = new AbortController();
    const waited = clock.sleep(waitMs, over.signal);
    // Aborted below, when nobody waits for it any more.
    const isOver = Promise.all([this.failure.promise, waited]).catch(() => undefined);
    const standing = await Promise.race([this.answer.promise, isOver.then(() => undefined)]);
    over.abort();
    if (standing !== undefined) return standing;
    throw new AppError('manager-unreachable', this.availability.reason ?? 'no manager answered', {
      status: 503,
      retryable: true,
    });
  }

  ended(): never {
    throw new AppError('aborted', 'the command was ended while it registered this node');
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolveIt) => {
    resolve = resolveIt;
  });
  return { promise, resolve };
}

/** A command listens nowhere, and may lack the agent's flags: what that agent has registered stays. */
function describeNode({ config, state, influxd }: RegistrationDeps) {
  const { bindAddress, advertiseAddress } = config.agent;
  const isNew = state.identity.nodeId === undefined;
  return {
    hostname: hostname(),
    ips: ownAddresses(),
    bindAddress: isNew
      ? formatAddress(advertisedAddress(bindAddress, advertiseAddress))
      : undefined,
    versions: undefined,
    influxd,
  };
}

/** The addresses of this machine that are not loopback. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address);
}
