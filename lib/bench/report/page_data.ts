/** What the page's charts draw: worked out here, so that the script of the page only draws. */
import type { BenchResult, TuneResult } from '../result.js';
import { barCharts, type BarChart } from './charts/bars.js';
import { lossChart, type LossChart } from './charts/loss.js';
import { sweepCharts, type SweepChart } from './charts/sweep.js';
import { saveCharts, type SaveChart } from './charts/saves.js';

export interface PageData {
  readonly bars: readonly BarChart[];
  /** Traced saves; the first is the one to begin with. */
  readonly saves: readonly SaveChart[];
  readonly loss: LossChart | undefined;
  readonly sweep: readonly SweepChart[];
}

export function pageData({
  bench,
  tune,
}: {
  bench?: BenchResult | undefined;
  tune?: TuneResult | undefined;
}): PageData {
  return {
    bars: bench ? barCharts(bench) : [],
    saves: bench ? saveCharts(bench) : [],
    loss: bench?.meaning && lossChart(bench.meaning),
    sweep: tune ? sweepCharts(tune) : [],
  };
}
