import { compareRows, type ComparedFigure } from '../../lib/bench/report/compare_figures.js';
import type { BenchResult, Phase } from '../../lib/bench/result.js';

/** The compared figures of one row. */
export function compareFigure(
  left: BenchResult,
  right: BenchResult,
  phase: Phase,
  id: string,
): readonly ComparedFigure[] {
  return compareRows(left, right).find(({ row }) => row.phase === phase && row.id === id)?.figures ?? [];
}
