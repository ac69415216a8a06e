// Which lines of a batch an owner refused: influxd says how many, and names one of them. Found by sending parts again, which
// is harmless because every line has its time; at most so many times.
import type { ApplyOutcome } from '../owner/port.js';
import type { Lines } from './lines.js';

/** Sends some of the lines to the same owner once more. */
export type Ask = (part: Lines) => Promise<ApplyOutcome>;

/** Enough for ten bad shapes among a hundred. What is undecided then goes on to all owners, each of which judges for itself. */
const MAX_ASKED = 64;

/**
 * The lines without those of the shapes that the owner refused as a whole. Where it refused only some lines of a shape, it
 * was not for the types (a tag of the name `time`, a limit of series): all owners judge those alike, and they stay.
 * @param suspects the shapes that the owner saw for the first time; all others it took before.
 * @param dropped how many lines it refused.
 */
export async function siftRefused(
  lines: Lines,
  suspects: ReadonlySet<number>,
  dropped: number,
  ask: Ask,
): Promise<Lines> {
  const refused = new Set<number>();
  let asked = 0;
  const narrow = async (shapes: readonly number[], bad: number): Promise<void> => {
    if (bad <= 0) return;
    if (bad >= partOf(lines, shapes).count) {
      for (const shape of shapes) refused.add(shape);
      return;
    }
    if (shapes.length === 1 || asked >= MAX_ASKED) return;
    const middle = shapes.length >>> 1;
    const first = shapes.slice(0, middle);
    asked += 1;
    const badInFirst = droppedOf(await ask(partOf(lines, first)));
    // It no longer judges: undecided, as if asked too often.
    if (badInFirst === undefined) return;
    await narrow(first, badInFirst);
    await narrow(shapes.slice(middle), bad - badInFirst);
  };
  await narrow([...suspects], dropped);
  return refused.size === 0 ? lines : lines.filter((shape) => !refused.has(shape));
}

function partOf(lines: Lines, shapes: readonly number[]): Lines {
  const wanted = new Set(shapes);
  return lines.filter((shape) => wanted.has(shape));
}

function droppedOf(outcome: ApplyOutcome): number | undefined {
  if (outcome.kind === 'applied') return 0;
  return outcome.kind === 'refused' ? outcome.dropped : undefined;
}
