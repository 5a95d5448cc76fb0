import type { LossChart, LossCurve } from '../charts/loss.js';
import { shareIn, timeIn } from '../units.js';
import {
  base,
  axisText,
  bottomAxis,
  colour,
  isNarrow,
  labelText,
  leftAxis,
  lineLegend,
  type ChartOption,
  type Room,
} from './theme.js';

const looks = {
  blocking: { color: colour.rival, type: [6, 4], symbol: 'diamond' },
  background: { color: colour.ours, type: 'solid', symbol: 'circle' },
} as const;

function seriesOf({ way, points, best }: LossCurve, narrow: boolean): ChartOption[] {
  const { color, type, symbol } = looks[way];
  const words = narrow
    ? `${timeIn(best[0])}: ${shareIn(best[1])}`
    : `best every ${timeIn(best[0])}: ${shareIn(best[1])} lost`;
  return [
    {
      name: `${way} saves`,
      type: 'line',
      data: points,
      symbol: 'none',
      smooth: 0.2,
      lineStyle: { color, type, width: 2 },
      itemStyle: { color },
      emphasis: { disabled: true },
    },
    {
      name: `${way} saves`,
      type: 'scatter',
      symbol,
      symbolSize: 13,
      data: [best],
      itemStyle: { color, borderColor: colour.ink, borderWidth: 1 },
      label: {
        ...labelText,
        show: true,
        position: 'top',
        distance: 9,
        textBorderColor: colour.surface,
        textBorderWidth: 3,
        formatter: words,
      },
      emphasis: { disabled: true },
      z: 5,
    },
  ];
}

interface Hovered {
  readonly seriesName: string;
  readonly value: readonly [number, number];
}

const tooltipOf = ({ seriesName, value }: Hovered): string =>
  `${seriesName} every ${timeIn(value[0])}\n${shareIn(value[1])} of the time lost`;

/** The most that is of interest: four times what the worse of the best intervals loses. */
function highest({ curves }: LossChart): number {
  const worst = Math.max(...curves.map(({ best }) => best[1]));
  const all = Math.max(...curves.flatMap(({ points }) => points.map((point) => point[1])));
  return Math.min(all, 4 * worst);
}

/** Share of the time that is lost against the interval between saves, for both ways to save; the best ones marked. */
export function lossOption(chart: LossChart, room: Room): ChartOption {
  const narrow = isNarrow(room);
  const intervals = chart.curves.flatMap(({ points }) => points.map((point) => point[0]));
  return {
    ...base,
    legend: lineLegend,
    grid: { left: 50, right: 20, top: 56, bottom: 46 },
    tooltip: { ...(base.tooltip as object), trigger: 'item', formatter: tooltipOf },
    xAxis: {
      ...bottomAxis({ name: 'interval between saves' }),
      type: 'log',
      min: Math.min(...intervals),
      max: Math.max(...intervals),
      axisLabel: {
        ...axisText,
        customValues: ticks(Math.min(...intervals), Math.max(...intervals), narrow),
        formatter: timeIn,
      },
      axisTick: {
        customValues: ticks(Math.min(...intervals), Math.max(...intervals), narrow),
        lineStyle: { color: colour.muted },
      },
    },
    yAxis: {
      ...leftAxis({ name: 'time lost' }),
      type: 'value',
      min: 0,
      max: highest(chart),
      axisLabel: {
        ...axisText,
        formatter: (share: number) => `${Number((share * 100).toPrecision(3))} %`,
        showMaxLabel: false,
      },
    },
    series: chart.curves.flatMap((curve) => seriesOf(curve, narrow)),
  };
}

const roundIntervals = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18_000, 43_200, 86_400, 259_200, 864_000];

function ticks(from: number, to: number, narrow: boolean): number[] {
  const inside = roundIntervals.filter((interval) => interval >= from && interval <= to);
  return narrow ? inside.filter((_, index) => index % 2 === 0) : inside;
}
