// The word that somebody probably meant, for error messages.

/** The candidate with the fewest edits, where it is near enough to be worth a suggestion. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: editDistance(word, candidate) }))
    .sort((a, b) => a.edits - b.edits);
  const best = ranked[0];
  // Two slips, or a third of a short word, are a typing error; more is another word.
  const mostEdits = Math.min(2, Math.max(1, Math.floor(word.length / 3)));
  return best !== undefined && best.edits <= mostEdits ? best.candidate : undefined;
}

/** Levenshtein: insertions, removals and replacements, one row of the table at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
  }
  return row[b.length] ?? 0;
}
