import { printable } from '../../../cli/text.js';
import type { TuneResult } from '../../result.js';
import type { Spread } from '../../statistics.js';
import { pointsByAxis } from '../tune_table.js';

export interface SweepPoint {
  readonly label: string;
  /** 10^9 bytes a second, durable. */
  readonly rate: Spread;
  readonly cpuSecondsPerGiB: number;
  readonly chosen: boolean;
}

/** One option, and what each of its values gave. */
export interface SweepChart {
  readonly axis: string;
  readonly points: readonly SweepPoint[];
}

export function sweepCharts(result: TuneResult): SweepChart[] {
  return [...pointsByAxis(result)]
    .map(([axis, points]) => ({
      axis: printable(axis),
      points: points.flatMap(({ point, rate, cpu, chosen }): SweepPoint[] =>
        rate === undefined || cpu === undefined
          ? []
          : [{ label: printable(point.label), rate, cpuSecondsPerGiB: cpu.median, chosen }],
      ),
    }))
    .filter(({ points }) => points.length > 0);
}
