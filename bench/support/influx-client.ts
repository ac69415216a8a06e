// An influxd as a bench talks to it: over kept connections and with little work of its own, so that watching a server
// takes as little as possible of the processor that is being measured.
import { Pool } from 'undici';

export class InfluxClient {
  private readonly pool: Pool;

  constructor(readonly url: string) {
    this.pool = new Pool(url, { connections: 2, pipelining: 1 });
  }

  /** Runs one statement; the answer as text. Throws where influxd refuses it. */
  async query(statement: string): Promise<string> {
    const { statusCode, body } = await this.pool.request({
      method: 'POST',
      path: `/query?q=${encodeURIComponent(statement)}`,
    });
    const text = await body.text();
    if (statusCode !== 200 || text.includes('"error"')) {
      throw new Error(`${statement} on ${this.url}: ${statusCode} ${text}`);
    }
    return text;
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }
}
