// Peers for the tests of this folder: endpoints on free ports, with files of secrets and certificates in one directory.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { PeerClient } from '../../../../agent/peer/peer-client.js';
import { createPeerEndpoint } from '../../../../agent/peer/peer-endpoint.js';
import type { PeerRoute } from '../../../../agent/peer/peer-routes.js';
import { openPeerSecurity, type PeerFiles } from '../../../../agent/peer/peer-security.js';
import type { Address } from '../../../../shared/config/address.js';
import { systemClock } from '../../../../shared/lifecycle/clock.js';
import { memoryLogger } from '../../../../shared/log/logger.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';

export const SECRET = 'the secret of this cluster';

export interface Peer {
  readonly uid: string;
  readonly address: Address;
  readonly url: string;
  readonly client: PeerClient;
  readonly logger: ReturnType<typeof memoryLogger>;
  close(): Promise<void>;
}

export class Peers {
  private readonly open: Peer[] = [];
  private readonly stopping = new AbortController();

  private constructor(
    readonly dir: string,
    private readonly remove: () => Promise<void>,
  ) {}

  static async create(): Promise<Peers> {
    const directory = await temporaryDirectory('peers');
    return new Peers(directory.path, () => directory.remove());
  }

  /** A file with these lines, to be written again at will. */
  secretFile(name: string, ...lines: string[]): string {
    const path = join(this.dir, name);
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  }

  async start(
    uid: string,
    files: Partial<PeerFiles> = {},
    limits: {
      readonly maxAuthFailures?: number;
      readonly address?: Address;
      readonly routes?: readonly PeerRoute[];
    } = {},
  ): Promise<Peer> {
    const { maxAuthFailures = 1_000, address: bindAddress = { host: '127.0.0.1', port: 0 } } =
      limits;
    const { routes: more = [] } = limits;
    const clock = systemClock();
    const logger = memoryLogger();
    const named = {
      secretFile: undefined,
      certFile: undefined,
      keyFile: undefined,
      caFile: undefined,
    };
    const security = await openPeerSecurity({ ...named, ...files }, { clock, logger });
    const hello = {
      uid,
      id: 1,
      cluster: 'c',
      versions: {},
      influxd: { answers: true },
      version: 7,
    };
    const endpoint = createPeerEndpoint({
      agent: { bindAddress, insecure: false, maxConnections: 50, maxAuthFailures },
      uid,
      security,
      registry: new Registry(),
      readiness: () => ({ ready: true, detail: 'in step with objects' }),
      status: () => ({ node: 1 }),
      hello: () => hello,
      metadata: async () => Buffer.from('metadata with hashes'),
      more,
      clock,
      logger,
    });
    const address = await endpoint.listen();
    void security.run(this.stopping.signal);
    const client = new PeerClient({ uid, security, clock, deadlineMs: 5_000 });
    const peer: Peer = {
      uid,
      address,
      url: `${endpoint.scheme}://127.0.0.1:${address.port}`,
      client,
      logger,
      close: async () => {
        client.close();
        await endpoint.close();
      },
    };
    this.open.push(peer);
    return peer;
  }

  /** A pair that this authority signed, good for 127.0.0.1; the authority is made when it is first named. */
  certificate(name: string, authority: string): Pick<PeerFiles, 'certFile' | 'keyFile' | 'caFile'> {
    const file = (kind: string) => join(this.dir, kind);
    const [caKey, caFile] = [file(`${authority}.ca.key`), file(`${authority}.ca.pem`)];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-batch'];
    const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
    if (!this.authorities.has(authority)) {
      openssl(
        'req',
        '-x509',
        ...curve,
        '-subj',
        `/CN=${authority}`,
        '-days',
        '2',
        '-keyout',
        caKey,
        '-out',
        caFile,
      );
      this.authorities.add(authority);
    }
    const [keyFile, certFile, request] = [
      file(`${name}.key`),
      file(`${name}.pem`),
      file(`${name}.csr`),
    ];
    openssl('req', ...curve, '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', request);
    const extensions = file('san');
    writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1');
    const by = ['-CA', caFile, '-CAkey', caKey, '-CAcreateserial', '-days', '2'];
    openssl('x509', '-req', '-in', request, ...by, '-extfile', extensions, '-out', certFile);
    return { certFile, keyFile, caFile };
  }

  private readonly authorities = new Set<string>();

  async end(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.open.map((peer) => peer.close()));
    await this.remove();
  }
}
