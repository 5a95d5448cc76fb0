import type { Bar, BarChart } from '../charts/bars.js';
import { digits, rangeText } from '../units.js';
import { group, line, plotArea, rectangle, text, type Api, type Params, type Shape } from './shapes.js';
import {
  axisText,
  base,
  bottomAxis,
  colour,
  fontFamily,
  isNarrow,
  labelText,
  type ChartOption,
  type Room,
} from './theme.js';

const fills: Readonly<Record<Bar['kind'], { readonly full: string; readonly soft: string }>> = {
  ours: { full: colour.ours, soft: colour.oursSoft },
  limit: { full: colour.limit, soft: colour.limitSoft },
  rival: { full: colour.rival, soft: colour.rivalSoft },
};

const names: Readonly<Record<Bar['kind'], string>> = { ours: 'ours', limit: 'limit', rival: 'rival' };

/** The upper bar: durable, with its spread; the lower and paler one: written. */
function drawBar(bar: Bar, index: number, api: Api, end: number): Shape {
  const [left = 0, middle = 0] = api.coord([0, index]);
  const at = (value: number): number => api.coord([value, index])[0]!;
  const { full, soft } = fills[bar.kind];
  const { durable, written } = bar;
  const top = middle - 14;
  const marks = [rectangle({ x: left, y: top, width: at(durable.median) - left, height: 16 }, { fill: full })];
  if (written)
    marks.push(
      rectangle(
        { x: left, y: top + 17, width: at(written.median) - left, height: 8 },
        { fill: soft, stroke: full, lineWidth: 0.5 },
      ),
    );
  return group([...marks, ...whisker(at(durable.min), at(durable.max), top + 8), ...numbers(bar, end, top + 8)]);
}

/** Beside the plot, below each other: the median, and its ratio to the limit. */
function numbers({ kind, durable, ratio }: Bar, x: number, y: number): Shape[] {
  const style = { fill: colour.ink, font: `${kind === 'ours' ? 'bold ' : ''}12px ${fontFamily}`, align: 'right' };
  const over = ratio === undefined ? [] : [text(x + 92, y, `${digits(ratio)} x`, { ...style, fill: colour.muted })];
  return [text(x + 42, y, digits(durable.median), style), ...over];
}

/** Haloed by the colour of the ground, so that it shows on the bar as well. */
function whisker(from: number, to: number, y: number): Shape[] {
  const strokes = [
    { stroke: colour.surface, lineWidth: 4 },
    { stroke: colour.ink, lineWidth: 1.5 },
  ];
  return strokes.flatMap((style) => [
    line(from, y, to, y, style),
    line(from, y - 4, from, y + 4, style),
    line(to, y - 4, to, y + 4, style),
  ]);
}

function limitSeries(limit: NonNullable<BarChart['limit']>): ChartOption {
  return {
    type: 'custom',
    silent: true,
    z: 5,
    data: [[limit.rate, 0]],
    renderItem: (params: Params, api: Api): Shape => {
      const x = api.coord([limit.rate, 0])[0]!;
      const { y, height } = plotArea(params);
      return line(x, y, x, y + height, { stroke: colour.ink, lineWidth: 1, lineDash: [4, 4] });
    },
  };
}

/** What the numbers beside the plot are. */
function headSeries(ratios: boolean): ChartOption {
  return {
    type: 'custom',
    silent: true,
    data: [[0, 0]],
    renderItem: (params: Params): Shape => {
      const { x, y, width } = plotArea(params);
      const style = { fill: colour.muted, font: `12px ${fontFamily}`, align: 'right' };
      return group([
        text(x + width + 42, y - 12, 'GB/s', style),
        ...(ratios ? [text(x + width + 92, y - 12, 'of limit', style)] : []),
      ]);
    },
  };
}

function tooltipOf(bar: Bar): string {
  const { label, kind, durable, written, ratio } = bar;
  return [
    `${label} (${names[kind]})`,
    `durable ${digits(durable.median)} GB/s, ${rangeText(durable)}`,
    ...(written ? [`written ${digits(written.median)} GB/s, ${rangeText(written)}`] : []),
    ...(ratio === undefined ? [] : [`${digits(ratio)} of the limit`]),
  ].join('\n');
}

const labelAxis = (bars: readonly Bar[], labelWidth: number): ChartOption => ({
  type: 'category',
  inverse: true,
  data: bars.map(({ label }) => label),
  axisLine: { lineStyle: { color: colour.muted } },
  axisTick: { show: false },
  axisLabel: { ...labelText, lineHeight: 14, width: labelWidth, overflow: 'break' },
});

function axisName(bars: readonly Bar[], narrow: boolean): string {
  const both = bars.some(({ written }) => written !== undefined) && !narrow;
  return both ? 'GB/s: durable, and the range of the rounds; below and paler: written, not yet synced' : 'GB/s';
}

/** Rates of one phase: ours, limits and rivals, with the spread of the durable ones. */
export function barsOption({ bars, limit }: BarChart, room: Room): ChartOption {
  const narrow = isNarrow(room);
  const labelWidth = narrow ? 104 : 190;
  const most = Math.max(...bars.flatMap(({ durable, written }) => [durable.max, written?.median ?? 0])) * 1.02;
  return {
    ...base,
    grid: { left: labelWidth + 12, right: 100, top: 22, bottom: 50 },
    tooltip: {
      ...(base.tooltip as object),
      trigger: 'item',
      formatter: ({ dataIndex }: { dataIndex: number }) => tooltipOf(bars[dataIndex]!),
    },
    xAxis: {
      ...bottomAxis({ name: axisName(bars, narrow) }),
      type: 'value',
      min: 0,
      max: most,
      splitNumber: narrow ? 3 : 5,
      axisLabel: { ...axisText, showMaxLabel: false },
      splitLine: { lineStyle: { color: colour.grid } },
    },
    yAxis: labelAxis(bars, labelWidth),
    series: [
      headSeries(limit !== undefined),
      ...(limit ? [limitSeries(limit)] : []),
      {
        type: 'custom',
        z: 3,
        data: bars.map((bar, index) => [bar.durable.median, index]),
        renderItem: (params: Params, api: Api): Shape => {
          const { x, width } = plotArea(params);
          return drawBar(bars[params.dataIndex]!, params.dataIndex, api, x + width);
        },
      },
    ],
  };
}
