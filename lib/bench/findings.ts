/** What a run says about its target, in sentences that an engineer can act on. */
import { restoreFinding, saveFinding } from './finding_limit.js';
import { burstFinding, coldFinding, pauseFinding, ranksFinding, rivalFinding, steadyFinding } from './finding_more.js';
import type { BenchResult } from './result.js';

export type MeasuredResult = Omit<BenchResult, 'findings'>;

/** Says one thing, where it is so. */
export type Finding = (result: MeasuredResult) => string | undefined;

const findingsMax = 3;

/** The more it changes what one would do, the earlier. */
const inOrder: readonly Finding[] = [
  saveFinding,
  coldFinding,
  burstFinding,
  ranksFinding,
  steadyFinding,
  restoreFinding,
  pauseFinding,
  rivalFinding,
];

/** What limits this target, and what to change: three sentences at most, the most telling first. */
export function findings(result: MeasuredResult): string[] {
  return inOrder.flatMap((finding) => finding(result) ?? []).slice(0, findingsMax);
}
