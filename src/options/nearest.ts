/**
 * The nearest known word to a mistyped one, by Damerau's edit distance (a swap of neighbours is one edit, since that is
 * how fingers slip).
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const bare = word.toLowerCase();
  let best: string | undefined;
  // A suggestion that differs in more than 40% of its letters confuses more than it helps.
  let bestDistance = Math.floor(Math.max(bare.length, 3) * 0.4) + 1;
  for (const candidate of known) {
    const distance = editDistance(bare, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  // Three rows of the usual table: the one before last is what a swap of neighbours looks back to.
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (same ? 0 : 1));
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, beforeLast[column - 2] + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length];
}
