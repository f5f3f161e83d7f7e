/** Which of the known words was probably meant? null when none is near (more than a third of its letters differ). */
export function nearest(word: string, known: Iterable<string>): string | null {
  const wanted = word.slice(0, 64).toLowerCase();
  let best: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (
      distance < least &&
      distance < Math.min(wanted.length, candidate.length) &&
      distance <= Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3))
    ) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** Letters to insert, delete, change, or to swap with their neighbour. */
export function editDistance(a: string, b: string): number {
  let older: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, older[j - 2]! + 1);
      row.push(best);
    }
    older = above;
    above = row;
  }
  return above[b.length]!;
}
