import type { SaveChart } from '../charts/saves.js';
import { digits, timeIn } from '../units.js';
import {
  axisText,
  base,
  bottomAxis,
  colour,
  isNarrow,
  labelText,
  leftAxis,
  lineLegend,
  type ChartOption,
  type Room,
} from './theme.js';

const dashes = ['solid', [6, 3], [2, 3], [8, 3, 2, 3], [12, 4], [4, 6], [1, 2], [10, 2, 2, 2]] as const;

/** A step for each stretch, down to nothing after the last. */
const steps = (rates: readonly number[], binSeconds: number): [number, number][] => [
  ...rates.map((rate, bin): [number, number] => [bin * binSeconds, rate]),
  [rates.length * binSeconds, rates.at(-1) ?? 0],
];

const halo = { textBorderColor: colour.surface, textBorderWidth: 3 };

const stretch = (name: string, from: number, to: number, fill: string, label: object): object[] => [
  { name, xAxis: from, itemStyle: { color: fill }, label },
  { xAxis: to },
];

/** Written until here, then synced, then published; and when the tensors were free to change. */
function phaseMarks(
  { stagedSeconds, writtenSeconds, durableSeconds, seconds, limit }: SaveChart,
  narrow: boolean,
): ChartOption {
  const label = { ...labelText, ...halo, position: 'insideTopLeft', show: !narrow };
  return {
    markArea: {
      silent: true,
      label,
      data: [
        stretch('sync', writtenSeconds, durableSeconds, colour.shade, {}),
        stretch('publish', durableSeconds, seconds, colour.grid, { position: 'insideTopRight', offset: [0, 16] }),
      ],
    },
    markLine: {
      silent: true,
      symbol: 'none',
      data: [
        {
          name: 'staged',
          xAxis: stagedSeconds,
          lineStyle: { color: colour.alert, type: 'dashed', width: 1.5 },
          label: { ...labelText, color: colour.alert, formatter: 'staged', position: 'insideEndTop' },
        },
        ...(limit
          ? [
              {
                name: 'limit',
                yAxis: limit.rate,
                lineStyle: { color: colour.ink, type: [4, 4], width: 1 },
                label: { ...labelText, ...halo, formatter: limit.label, position: 'insideStartTop' },
              },
            ]
          : []),
      ],
    },
  };
}

function rankSeries({ ranks, binSeconds }: SaveChart): ChartOption[] {
  return ranks.map(({ label, rates }, index) => ({
    name: label,
    type: 'line',
    step: 'end',
    symbol: 'none',
    data: steps(rates, binSeconds),
    lineStyle: {
      color: index % 2 === 0 ? colour.rival : colour.limit,
      width: 1.4,
      type: dashes[index % dashes.length],
    },
    itemStyle: { color: index % 2 === 0 ? colour.rival : colour.limit },
    emphasis: { disabled: true },
  }));
}

function otherSeries(others: readonly SaveChart[]): ChartOption[] {
  return others.map(({ total, binSeconds }) => ({
    name: 'other rounds',
    type: 'line',
    step: 'end',
    symbol: 'none',
    silent: true,
    data: steps(total, binSeconds),
    lineStyle: { color: colour.muted, width: 0.8, opacity: 0.45 },
    itemStyle: { color: colour.muted },
    tooltip: { show: false },
    z: 1,
  }));
}

type Hovered = readonly {
  readonly seriesName?: string;
  readonly axisValue?: number;
  readonly value?: readonly number[];
}[];

function tooltipOf(points: Hovered, binSeconds: number): string {
  const own = points.filter(({ seriesName }) => seriesName !== 'other rounds');
  const from = own[0]?.value?.[0] ?? 0;
  return [
    `${timeIn(from)} to ${timeIn(from + binSeconds)}`,
    ...own.map(({ seriesName = '', value }) => `${seriesName}: ${digits(value?.[1] ?? 0)} GB/s`),
  ].join('\n');
}

/** The rate at which the device completed blocks over one save, each rank and all; the other rounds behind it. */
export function throughputOption(save: SaveChart, others: readonly SaveChart[], room: Room): ChartOption {
  const narrow = isNarrow(room);
  const until = Math.max(save.seconds, ...others.map(({ seconds }) => seconds));
  const total = {
    name: save.ranks.length > 0 ? 'all ranks' : 'this save',
    type: 'line',
    step: 'end',
    symbol: 'none',
    data: steps(save.total, save.binSeconds),
    lineStyle: { color: colour.ours, width: 2 },
    itemStyle: { color: colour.ours },
    areaStyle: { color: colour.oursSoft, opacity: 0.35 },
    emphasis: { disabled: true },
    z: 4,
    ...phaseMarks(save, narrow),
  };
  return {
    ...base,
    legend: {
      ...lineLegend,
      data: [total.name, ...save.ranks.map(({ label }) => label), ...(others.length > 0 ? ['other rounds'] : [])],
    },
    grid: { left: 44, right: 16, top: narrow ? 78 : 56, bottom: 46 },
    tooltip: {
      ...(base.tooltip as object),
      trigger: 'axis',
      formatter: (points: Hovered) => tooltipOf(points, save.binSeconds),
    },
    xAxis: {
      ...bottomAxis({ name: 'seconds since save() was called' }),
      type: 'value',
      min: 0,
      max: until,
      axisLabel: { ...axisText, showMaxLabel: false },
    },
    yAxis: { ...leftAxis({ name: `GB/s, by ${timeIn(save.binSeconds)}` }), type: 'value', min: 0 },
    series: [...otherSeries(others), ...rankSeries(save), total],
  };
}
