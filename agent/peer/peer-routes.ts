// What an agent tells other agents, and the commands of an operator who has the cluster's secret. It answers questions of
// its own node alone, and changes nothing; what the data plane asks of a node is in data-routes.ts.
import type { Readable } from 'node:stream';
import { z } from 'zod';

export interface PeerRequest {
  /** After `?`, decoded. */
  readonly query: URLSearchParams;
  readonly body: Buffer;
  /** The uid of the agent that asks, `operator` for a command; undefined where only a certificate, or nobody, spoke for it. */
  readonly from: string | undefined;
  /** Aborted at the deadline, and when the client is gone. */
  readonly signal: AbortSignal;
}

export interface PeerReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** An answer that is not held whole: 200, in frames (frames.ts). Where `body` fails, the asker's body fails. */
export interface PeerStream {
  /** JSON; the asker has it before any of the body. */
  readonly head: object;
  readonly body: Readable;
}

export interface PeerRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Exact, decoded. */
  readonly path: string;
  /** `proof`: always. `proof-if-any`: also without, where neither a secret nor mutual TLS is configured. */
  readonly needs: 'proof' | 'proof-if-any';
  /** 0: it takes none. */
  readonly maxBodyBytes: number;
  /** Until the answer, or the beginning of a streamed one, is there, its request read; 20 s where absent. */
  readonly deadlineMs?: number;
  answer(request: PeerRequest): Promise<PeerReply | PeerStream> | PeerReply | PeerStream;
}

export const HELLO_PATH = '/peer/v1/hello';
export const METADATA_PATH = '/peer/v1/metadata';
export const STATUS_PATH = '/peer/v1/status';

export const helloSchema = z.object({
  uid: z.string(),
  /** null before the first registration. */
  id: z.number().int().nullable(),
  cluster: z.string(),
  versions: z.record(z.string(), z.string()),
  /** Whether the local influxd answers. */
  influxd: z.object({ answers: z.boolean() }),
  /** The newest version of the cluster's metadata that it was in step with. */
  version: z.number().int(),
  /** The release of the peer channel: 1 takes points, reads and words of hints. Absent: of an agent without them. */
  peer: z.number().int().optional(),
});
export type Hello = z.infer<typeof helloSchema>;

export interface PeerRoutesDeps {
  readonly hello: () => Hello;
  /** As the status port's `/status`. */
  readonly status: () => unknown;
  /** The local influxd's metadata as it is in memory now, hashes included, as bytes of a meta.Data message. */
  readonly metadata: (signal: AbortSignal) => Promise<Uint8Array>;
  /** Those of the data plane; absent: none. */
  readonly more?: readonly PeerRoute[];
}

/** What an agent with a data plane says in its hello. */
export const PEER_CHANNEL = 1;

export function peerRoutes({ hello, status, metadata, more = [] }: PeerRoutesDeps): PeerRoute[] {
  const reading = { method: 'GET', maxBodyBytes: 0 } as const;
  return [
    { ...reading, path: HELLO_PATH, needs: 'proof-if-any', answer: () => json(200, hello()) },
    { ...reading, path: STATUS_PATH, needs: 'proof', answer: () => json(200, status()) },
    {
      ...reading,
      path: METADATA_PATH,
      needs: 'proof',
      answer: async ({ signal }) => ({
        status: 200,
        contentType: 'application/x-protobuf',
        body: await metadata(signal),
      }),
    },
    ...more,
  ];
}

export function json(status: number, body: unknown, contentType = 'application/json'): PeerReply {
  return { status, contentType, body: Buffer.from(`${JSON.stringify(body)}\n`) };
}

/** problem+json (RFC 9457). */
export function problem(status: number, code: string, detail: string): PeerReply {
  const titles: Record<number, string> = {
    400: 'Bad request',
    401: 'Unauthorized',
    404: 'Not found',
    413: 'Too large',
    421: 'Meant for another node',
    429: 'Too many attempts',
    503: 'Busy',
  };
  const title = titles[status] ?? 'Failed';
  return json(status, { status, code, title, detail }, 'application/problem+json');
}
