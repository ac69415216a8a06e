// The records of events: the head, which numbers them, and the events themselves.
import { z } from 'zod';

export const eventRecord = z.object({
  id: z.number().int(),
  at: z.string(),
  node: z.number().int().nullable(),
  kind: z.string(),
  text: z.string(),
  before: z.unknown(),
  after: z.unknown(),
  /** Where the event has one: under it lies an entry that goes with the event. */
  key: z.string().optional(),
  /** Of the append that wrote it: tells a lost reply from a lost race. */
  op: z.string(),
});
export type EventRecord = z.infer<typeof eventRecord>;

/** Kept for ever. `first` is the oldest that is kept, `last` the newest; none is kept where first > last. */
export const headRecord = z.object({ first: z.number().int(), last: z.number().int() });
export type HeadRecord = z.infer<typeof headRecord>;
export const NO_EVENTS: HeadRecord = { first: 1, last: 0 };

/** Under an event's key: its id. */
export const eventKeyRecord = z.object({ id: z.number().int() });
