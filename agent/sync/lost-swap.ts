// How long to wait after another node wrote the version that this one wanted to write.

/** Long enough that two racing agents part, short against everything else. */
const FIRST_MS = 10;
const LONGEST_MS = 1_000;

/**
 * Anything below a limit that doubles with each loss in a row: of two hundred agents that join at once only one can win at a
 * time, and the others had better not all try again at once.
 * @param earlier losses in a row before this one
 */
export function pauseAfterLostSwapMs(earlier: number, random: () => number = Math.random): number {
  return random() * Math.min(FIRST_MS * 2 ** earlier, LONGEST_MS);
}
