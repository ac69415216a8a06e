// The records of the registry: nodes, uids, ids, liveness, status, influxds, managers.
import { z } from 'zod';

const textMap = z.record(z.string(), z.string());

export const nodeRecord = z.object({
  id: z.number().int(),
  uid: z.string().optional(),
  session: z.string().optional(),
  hostname: z.string(),
  ips: z.array(z.string()),
  bindAddress: z.string(),
  labels: textMap,
  versions: textMap,
  registeredAt: z.string(),
  /** Of the registration that wrote it: tells a lost reply from a lost race. */
  op: z.string(),
});
export type NodeRecord = z.infer<typeof nodeRecord>;

/** Kept for ever, also after a deregistration. */
export const uidRecord = z.object({ id: z.number().int(), session: z.string().optional() });
export type UidRecord = z.infer<typeof uidRecord>;

export const nextIdRecord = z.object({ next: z.number().int() });

/** Lies under the lease that it names. */
export const aliveRecord = z.object({
  session: z.string().optional(),
  lease: z.string(),
  at: z.string(),
});
export type AliveRecord = z.infer<typeof aliveRecord>;

const influxd = z.object({
  clusterId: z.string(),
  term: z.string(),
  index: z.string(),
  started: z.string(),
});
export type InfluxdIdentity = z.infer<typeof influxd>;

/** What the last heartbeats said. */
export const statusRecord = z.object({
  version: z.number().int(),
  state: z.string(),
  pending: z.number().int(),
  hints: z.array(z.object({ owner: z.number().int(), bytes: z.number() })),
  influxd: influxd.optional(),
  /** Names what waits for a person; the list itself lies beside it. */
  held: z.object({ digest: z.string(), count: z.number().int() }).optional(),
  at: z.string(),
});
export type StatusRecord = z.infer<typeof statusRecord>;

/** Which node runs an influxd. */
export const influxdClaim = z.object({ cluster: z.string(), id: z.number().int() });
export type InfluxdClaim = z.infer<typeof influxdClaim>;

export const managerRecord = z.object({
  id: z.string(),
  hostname: z.string(),
  ip: z.string(),
  bindAddress: z.string(),
  version: z.string(),
});
export type ManagerRecord = z.infer<typeof managerRecord>;
