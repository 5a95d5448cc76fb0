import { printable } from '../../../cli/text.js';
import type { BenchResult, Phase, Row } from '../../result.js';
import type { Spread } from '../../statistics.js';
import { figuresByPhase } from '../figures.js';

export interface Bar {
  readonly label: string;
  readonly kind: Row['kind'];
  /** 10^9 bytes a second. */
  readonly durable: Spread;
  readonly written: Spread | undefined;
  /** Median of the durable rate over the limit's of the same round. */
  readonly ratio: number | undefined;
}

/** One phase: from its limits to the slowest rival. */
export interface BarChart {
  readonly phase: Phase;
  /** The limit that the ratios are over. */
  readonly limit: { readonly label: string; readonly rate: number } | undefined;
  readonly bars: readonly Bar[];
}

/** Of the phases in which there is something to compare. */
export function barCharts(result: BenchResult): BarChart[] {
  return figuresByPhase(result)
    .filter(({ rows }) => rows.length > 1)
    .map(({ phase, limit, rows }) => {
      const rate = rows.find(({ row }) => row === limit)?.durable?.median;
      return {
        phase,
        limit: limit === undefined || rate === undefined ? undefined : { label: printable(limit.label), rate },
        bars: rows.map(({ row, durable, written, ratio }) => ({
          label: printable(row.label),
          kind: row.kind,
          durable: durable!,
          written,
          ratio: ratio?.median,
        })),
      };
    });
}
