const shownMax = 8;

/** Consecutive ranks in one go: [0, 1, 2, 5] is 0 to 2, 5. */
function runsOf(ranks: readonly number[]): string[] {
  const runs: { first: number; last: number }[] = [];
  for (const rank of ranks) {
    const run = runs.at(-1);
    if (run?.last === rank - 1) run.last = rank;
    else runs.push({ first: rank, last: rank });
  }
  return runs.map(({ first, last }) => {
    if (first === last) return `${first}`;
    return last === first + 1 ? `${first}, ${last}` : `${first} to ${last}`;
  });
}

/** `rank 3`, or `ranks 0 to 2, 5`: for messages, cut where there are many. */
export function ranksText(ranks: readonly number[]): string {
  const runs = runsOf([...ranks].sort((left, right) => left - right));
  const shown = runs.slice(0, shownMax).join(', ');
  const rest = runs.length > shownMax ? ` and others (${ranks.length} in all)` : '';
  return `${ranks.length === 1 ? 'rank' : 'ranks'} ${shown}${rest}`;
}
