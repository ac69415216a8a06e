// What a program's /metrics say of one figure.
import type { Program } from './programs.js';

const WITHIN_MS = 5_000;

/** The sum over all labels; 0 where there is none. */
export async function gaugeOf({ url }: Program, name: string): Promise<number> {
  const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(WITHIN_MS) });
  const text = await answer.text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
