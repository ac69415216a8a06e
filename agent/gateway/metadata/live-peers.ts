// Asks all peers that are connected the same thing at once. Live means connected: who refuses, or is silent for a second, is
// left to catch up by itself.
import { z } from 'zod';
import { isAbort } from '../../../shared/errors/app-error.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { PeerClient } from '../../peer/peer-client.js';
import { HELLO_PATH } from '../../peer/peer-routes.js';
import type { ClusterNode, NodeDirectory } from '../placement/port.js';

export interface LivePeersDeps {
  readonly directory: NodeDirectory;
  readonly client: Pick<PeerClient, 'call'>;
  readonly logger: Logger;
}

/** Silent for longer than this is not connected. */
const SILENCE_MS = 1_000;

/** What a peer answers that was asked to reach something. */
export const reachedSchema = z.object({ reached: z.boolean() });

export class LivePeers {
  constructor(private readonly deps: LivePeersDeps) {}

  /** The peers that answer within a second. Rejects only at the signal. */
  async connected(signal: AbortSignal): Promise<readonly ClusterNode[]> {
    const { directory, client } = this.deps;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(SILENCE_MS)]);
    const asked = directory
      .all()
      .filter(({ uid }) => uid !== directory.self.uid)
      .map(async (node) => {
        try {
          await client.call(node.address, node.uid, { method: 'GET', path: HELLO_PATH }, limit);
          return [node];
        } catch {
          // Away, or not to be reached from here: it catches up by itself. Our own end is seen below.
          return [];
        }
      });
    const connected = (await Promise.all(asked)).flat();
    signal.throwIfAborted();
    return connected;
  }

  /** Sends a body to each of these peers; how many said that they have reached what was asked for. */
  async reach(
    nodes: readonly ClusterNode[],
    path: string,
    body: object,
    signal: AbortSignal,
  ): Promise<number> {
    const bytes = Buffer.from(JSON.stringify(body));
    const asked = nodes.map(({ address, uid, id }) =>
      this.deps.client
        .call(address, uid, { method: 'POST', path, body: bytes }, signal)
        .then(({ status, body: answer }) => {
          if (status !== 200) return false;
          return (
            reachedSchema.safeParse(JSON.parse(answer.toString('utf8'))).data?.reached === true
          );
        })
        .catch((error: unknown) => {
          if (!isAbort(error)) {
            this.deps.logger.warn('a peer was not brought up to date at once', {
              target: id,
              err: error,
            });
          }
          return false;
        }),
    );
    return (await Promise.all(asked)).filter(Boolean).length;
  }
}
