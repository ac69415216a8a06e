// A cluster whose metadata a bench writes: a snapshot of the wanted size, and one more database at each write.
import type { Pool } from 'undici';
import { snapshotWith } from '../../test/support/snapshots.js';

const TIMEOUT_MS = 60_000;

export class WrittenCluster {
  version = 0;
  etag = '';
  private readonly names: string[] = [];

  constructor(
    private readonly pool: Pool,
    readonly name: string,
    private readonly bytes: number,
  ) {
    while (snapshotWith(...this.names).length < bytes) this.addDatabase();
  }

  get path(): string {
    return `/clusters/${this.name}/versions`;
  }

  /** Writes the next version; resolves when its answer is there. */
  async write(): Promise<void> {
    const { statusCode, headers, body } = await this.pool.request({
      method: 'PUT',
      path: `${this.path}/${this.version}`,
      headers: { 'content-type': 'application/x-protobuf' },
      body: snapshotWith(...this.names),
      headersTimeout: TIMEOUT_MS,
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`writing ${this.name}: ${statusCode} ${text}`);
    this.version += 1;
    this.etag = String(headers['etag']);
    this.addDatabase();
  }

  /** Of the next snapshot. */
  get size(): number {
    return Math.max(this.bytes, snapshotWith(...this.names).length);
  }

  private addDatabase(): void {
    this.names.push(`database_${this.names.length}`);
  }
}
