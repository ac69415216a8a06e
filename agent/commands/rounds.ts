// Ticks of one command as one: again while something changes, and again while managers or influxd are away, until the wait
// is over. Knows nothing of what a tick does.
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { StepTaken, TickMode, TickReport } from '../sync/port.js';
import { pauseAfterLostSwapMs } from '../sync/lost-swap.js';
import { sentenceOf } from '../sync/report.js';

export interface Rounds {
  /** One reconciliation. Throws AppError `manager-unreachable`, or what ends the command. */
  readonly tick: () => Promise<TickReport>;
  readonly mode: TickMode;
  readonly cluster: string;
  /** How long to wait for who is away, in ms; 0: everything is tried once. */
  readonly waitMs: number;
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  readonly signal: AbortSignal;
}

/** Between two tries while somebody is away: soon enough for a person, and nothing to a machine that boots. */
export const RETRY_MS = 250;

/** Something was overtaken while it was looked at: at once, but not in circles. */
const AGAIN_MS = 5;

/** A reconciliation that still changes things after this time is one that somebody works against. */
const MAX_CHANGING_MS = 60_000;

/**
 * Runs ticks until nothing more can be done now; the report has the steps of all of them and the state of the last.
 * Throws what `tick` throws, `manager-unreachable` only once the wait is over.
 */
export async function runRounds(rounds: Rounds): Promise<TickReport> {
  const { clock, mode, signal, waitMs } = rounds;
  const startedMs = clock.monotonicMs();
  const steps: StepTaken[] = [];
  let lostSwaps = 0;
  for (;;) {
    const last = await tryTick(rounds);
    const passedMs = clock.monotonicMs() - startedMs;
    if (last.kind === 'away') {
      if (passedMs >= waitMs) throw last.error;
      await clock.sleep(RETRY_MS, signal);
      continue;
    }
    const { report } = last;
    steps.push(...report.steps);
    const isChanging = report.outcome === 'changed' && !mode.dryRun;
    if (isChanging && passedMs < Math.max(MAX_CHANGING_MS, waitMs)) {
      lostSwaps = report.isLostSwap === true ? lostSwaps + 1 : 0;
      if (lostSwaps > 0) await clock.sleep(pauseAfterLostSwapMs(lostSwaps - 1), signal);
      else if (report.steps.length === 0) await clock.sleep(AGAIN_MS, signal);
    } else if (report.outcome === 'waiting' && passedMs < waitMs) {
      await clock.sleep(RETRY_MS, signal);
    } else return summaryOf(report, steps, rounds);
  }
}

type Tried =
  | { readonly kind: 'ticked'; readonly report: TickReport }
  | { readonly kind: 'away'; readonly error: AppError };

async function tryTick({ tick }: Rounds): Promise<Tried> {
  try {
    return { kind: 'ticked', report: await tick() };
  } catch (error) {
    if (!isAppError(error, 'manager-unreachable')) throw error;
    return { kind: 'away', error };
  }
}

function summaryOf(
  last: TickReport,
  steps: readonly StepTaken[],
  { cluster, mode }: Rounds,
): TickReport {
  if (mode.dryRun || steps.length === 0) return last;
  const isOver = last.outcome === 'no-action' || last.outcome === 'changed';
  if (!isOver) return { ...last, steps };
  const sentence = sentenceOf({
    cluster,
    version: last.version,
    steps,
    pending: last.pending.length,
    held: last.held.length,
  });
  const isWritten = mode.offline && steps.some(({ direction }) => direction === 'apply');
  return {
    ...last,
    outcome: 'changed',
    steps,
    sentence: isWritten ? `${sentence}; influxd takes meta.db at its next start` : sentence,
  };
}
