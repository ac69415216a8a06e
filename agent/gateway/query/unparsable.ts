// What to do with a query that can't be parsed here: influxd refuses it in its own words. It is sent there only once it is certain
// that influxd refuses it too, because what it accepted it would run, for one node alone and with the agent's rights.
import type { StatementExecutor } from './run-statement.js';
import { textOf } from './small-read.js';
import type { Outcome, Work } from './work.js';

/** No statement begins with this word, so a text that is followed by it never parses. */
const STOP = 'CLUSTERFLUX_STOP';

/** `why`: our own reading of the fault, for the case that influxd would have accepted the text. */
export async function refuseUnparsable(
  text: string,
  { why, isOurLimit = false }: { readonly why: string; readonly isOurLimit?: boolean },
  executor: StatementExecutor,
  work: Work,
): Promise<Outcome> {
  if (isOurLimit) return notUnderstood(why);
  // The line feed ends a comment. Errors are reported in the order of the text: if the first one is about the word, the text
  // before it was fine.
  const probe = await executor.readLocally(`${text}\n;${STOP}`, work, undefined);
  if (probe.kind === 'refused') return probe;
  const said = probe.kind === 'opened' ? (probe.error ?? (await textOf(probe.body))) : '';
  const isRefused = probe.kind === 'opened' && probe.status === 400 && !said.includes(STOP);
  if (probe.kind === 'opened') await drain(probe.body);
  if (isRefused) return executor.readLocally(text, work);
  return notUnderstood(why);
}

function notUnderstood(why: string): Outcome {
  return {
    kind: 'refused',
    status: 400,
    code: 'not-answerable',
    error: `this query is not understood by the gateway, so it is not run: ${why}`,
    isSafeToRetry: false,
  };
}

/** The connection is free for others once the answer is read. */
async function drain(body: AsyncIterable<Buffer>): Promise<void> {
  const chunks = body[Symbol.asyncIterator]();
  while ((await chunks.next()).done !== true);
}
