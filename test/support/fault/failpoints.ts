// The failpoints that there are, read from the sources: a new one is tested without being listed anywhere.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../build.js';

const CALL = /await reached\('([a-z.-]+)'\);/g;

/** The names in a room, e.g. `agent.push.noted` in `agent`, sorted. */
export function failpointsIn(room: 'agent' | 'manager'): string[] {
  const names = readdirSync(join(checkout, room), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...readFileSync(join(checkout, room, file), 'utf8').matchAll(CALL)])
    .map(([, name]) => name ?? '');
  return [...new Set(names)].sort();
}

/** The environment in which a program dies when it reaches a place for the nth time. */
export function dyingAt(name: string, nth = 1): Readonly<Record<string, string>> {
  return { CLUSTERFLUX_FAILPOINT: `${name}:${nth}=kill` };
}
