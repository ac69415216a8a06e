// meta.db files that a real influxd wrote (make-meta-seeds.ts), by what they hold.
import { readFileSync } from 'node:fs';

const FILE = new URL('../fixtures/meta-seeds.json', import.meta.url);

export function metaSeeds(): Record<string, Buffer> {
  const seeds = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, string>;
  return Object.fromEntries(
    Object.entries(seeds).map(([name, text]) => [name, Buffer.from(text, 'base64')]),
  );
}
