import type { Bar, BarChart } from '../charts/bars.js';
import { digits, rangeText } from '../units.js';
import { group, line, plotArea, rectangle, text, type Api, type Params, type Shape } from './shapes.js';
import { axisText, base, bottomAxis, colour, fontFamily, isNarrow, labelText, type ChartOption, type Room } from './theme.js';

const fills: Readonly<Record<Bar['kind'], { readonly full: string; readonly soft: string }>> = {
  ours: { full: colour.ours, soft: colour.oursSoft },
  limit: { full: colour.limit, soft: colour.limitSoft },
  rival: { full: colour.rival, soft: colour.rivalSoft },
};

const names: Readonly<Record<Bar['kind'], string>> = { ours: 'ours', limit: 'limit', rival: 'rival' };

/** The upper bar: durable, with its spread; the lower and paler one: written. */
function drawBar(bar: Bar, index: number, api: Api, narrow: boolean): Shape {
  const [left = 0, middle = 0] = api.coord([0, index]);
  const at = (value: number): number => api.coord([value, index])[0]!;
  const { full, soft } = fills[bar.kind];
  const { durable, written } = bar;
  const top = middle - 14;
  const marks = [rectangle({ x: left, y: top, width: at(durable.median) - left, height: 16 }, { fill: full })];
  if (written) marks.push(rectangle({ x: left, y: top + 17, width: at(written.median) - left, height: 8 }, { fill: soft, stroke: full, lineWidth: 0.5 }));
  const end = Math.max(at(durable.max), written ? at(written.median) : 0) + 6;
  const ratio = bar.ratio === undefined || narrow ? '' : `  (${digits(bar.ratio)} of the limit)`;
  return group([
    ...marks,
    ...whisker(at(durable.min), at(durable.max), top + 8),
    text(end, top + 8, `${digits(durable.median)}${ratio}`, { fill: colour.ink, font: `${bar.kind === 'ours' ? 'bold ' : ''}12px ${fontFamily}` }),
  ]);
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

function tooltipOf(bar: Bar): string {
  const { label, kind, durable, written, ratio } = bar;
  return [
    `${label} (${names[kind]})`,
    `durable ${digits(durable.median)} GB/s, ${rangeText(durable)}`,
    ...(written ? [`written ${digits(written.median)} GB/s, ${rangeText(written)}`] : []),
    ...(ratio === undefined ? [] : [`${digits(ratio)} of the limit`]),
  ].join('\n');
}

/** Rates of one phase: ours, limits and rivals, with the spread of the durable ones. */
export function barsOption({ bars, limit }: BarChart, room: Room): ChartOption {
  const narrow = isNarrow(room);
  const labelWidth = narrow ? 110 : 190;
  const most = Math.max(...bars.flatMap(({ durable, written }) => [durable.max, written?.median ?? 0]));
  return {
    ...base,
    grid: { left: labelWidth + 12, right: narrow ? 48 : 150, top: 6, bottom: 50 },
    tooltip: { ...(base.tooltip as object), trigger: 'item', formatter: ({ dataIndex }: { dataIndex: number }) => tooltipOf(bars[dataIndex]!) },
    xAxis: { ...bottomAxis({ name: 'GB/s' }), type: 'value', min: 0, max: most, splitNumber: narrow ? 3 : 5, axisLabel: { ...axisText, showMaxLabel: false }, splitLine: { lineStyle: { color: colour.grid } } },
    yAxis: {
      type: 'category',
      inverse: true,
      data: bars.map(({ label }) => label),
      axisLine: { lineStyle: { color: colour.muted } },
      axisTick: { show: false },
      axisLabel: { ...labelText, width: labelWidth, overflow: 'break' },
    },
    series: [
      ...(limit ? [limitSeries(limit)] : []),
      {
        type: 'custom',
        z: 3,
        data: bars.map((bar, index) => [bar.durable.median, index]),
        renderItem: ({ dataIndex }: Params, api: Api): Shape => drawBar(bars[dataIndex]!, dataIndex, api, narrow),
      },
    ],
  };
}
