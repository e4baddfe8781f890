/** The one of `names` that was probably meant by `word`; undefined where none is near. */
export function nearName(word: string, names: readonly string[]): string | undefined {
  const given = word.toLowerCase();
  let nearest: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const candidate = name.toLowerCase();
    const distance = editDistance(given, candidate);
    if (
      distance < least &&
      (isPart(given, candidate) || distance <= Math.max(given.length, candidate.length) / 3)
    ) {
      nearest = name;
      least = distance;
    }
  }
  return nearest;
}

/** A unit was left out or added, as in `leakAfter` or `slowQuery`. */
function isPart(given: string, candidate: string): boolean {
  return given.length >= 4 && (candidate.includes(given) || given.startsWith(candidate));
}

/** Levenshtein's: how many letters have to be put in, taken out or exchanged; two that changed places count as one. */
function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row++) {
    const next = [row];
    for (let at = 1; at <= to.length; at++) {
      const isSame = from[row - 1] === to[at - 1];
      const swaps = from[row - 1] === to[at - 2] && from[row - 2] === to[at - 1];
      next[at] = Math.min(
        (last[at] ?? 0) + 1,
        (next[at - 1] ?? 0) + 1,
        (last[at - 1] ?? 0) + (isSame ? 0 : 1),
        swaps ? (before[at - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    before = last;
    last = next;
  }
  return last[to.length] ?? 0;
}
