import type { SweepChart, SweepPoint } from '../charts/sweep.js';
import { digits, rangeText } from '../units.js';
import { group, line, type Api, type Params, type Shape } from './shapes.js';
import { axisText, base, colour, labelText, leftAxis, type ChartOption } from './theme.js';

const tooltipOf = ({ label, rate, cpuSecondsPerGiB, chosen }: SweepPoint): string =>
  [
    `${label}${chosen ? ', chosen' : ''}`,
    `${digits(rate.median)} GB/s, ${rangeText(rate)}`,
    `${digits(cpuSecondsPerGiB)} CPU s/GiB`,
  ].join('\n');

function whiskers(points: readonly SweepPoint[]): ChartOption {
  return {
    type: 'custom',
    silent: true,
    data: points.map(({ rate }, index) => [index, rate.min, rate.max]),
    encode: { x: 0, y: [1, 2] },
    renderItem: (params: Params, api: Api): Shape => {
      const { rate } = points[params.dataIndex]!;
      const [x = 0, top = 0] = api.coord([params.dataIndex, rate.max]);
      const bottom = api.coord([params.dataIndex, rate.min])[1]!;
      const style = { stroke: colour.ink, lineWidth: 1.2 };
      return group([
        line(x, top, x, bottom, style),
        line(x - 4, top, x + 4, top, style),
        line(x - 4, bottom, x + 4, bottom, style),
      ]);
    },
    z: 2,
  };
}

const categoryAxis = (points: readonly SweepPoint[], gridIndex: number, labels: boolean): ChartOption => ({
  type: 'category',
  gridIndex,
  data: points.map(({ label }) => label),
  axisLine: { lineStyle: { color: colour.muted } },
  axisTick: { show: labels, alignWithLabel: true, lineStyle: { color: colour.muted } },
  axisLabel: { ...axisText, show: labels, hideOverlap: true },
});

function rateSeries(points: readonly SweepPoint[]): ChartOption {
  return {
    name: 'rate',
    type: 'line',
    data: points.map(({ rate, chosen }) => ({
      value: rate.median,
      symbol: chosen ? 'diamond' : 'circle',
      symbolSize: chosen ? 15 : 7,
      label: {
        ...labelText,
        show: chosen,
        formatter: `chosen: ${digits(rate.median)}`,
        position: 'bottom',
        distance: 10,
        textBorderColor: colour.surface,
        textBorderWidth: 3,
      },
    })),
    lineStyle: { color: colour.ours, width: 2 },
    itemStyle: { color: colour.ours, borderColor: colour.surface, borderWidth: 1 },
    emphasis: { disabled: true },
    z: 3,
  };
}

/** What each value of one option gave: the rate with its spread, and the processor time below it. */
export function sweepOption({ points }: SweepChart): ChartOption {
  const quiet = { ...leftAxis({ name: 'CPU s/GiB' }), type: 'value', gridIndex: 1, min: 0, splitNumber: 2 };
  return {
    ...base,
    grid: [
      { left: 48, right: 16, top: 34, height: 142 },
      { left: 48, right: 16, top: 212, height: 52 },
    ],
    tooltip: {
      ...(base.tooltip as object),
      trigger: 'axis',
      formatter: (hovered: readonly { dataIndex: number }[]) => tooltipOf(points[hovered[0]?.dataIndex ?? 0]!),
    },
    xAxis: [categoryAxis(points, 0, false), categoryAxis(points, 1, true)],
    yAxis: [{ ...leftAxis({ name: 'GB/s, durable' }), type: 'value', gridIndex: 0, min: 0 }, quiet],
    series: [
      whiskers(points),
      rateSeries(points),
      {
        name: 'CPU',
        type: 'bar',
        xAxisIndex: 1,
        yAxisIndex: 1,
        barMaxWidth: 22,
        data: points.map(({ cpuSecondsPerGiB, chosen }) => ({
          value: cpuSecondsPerGiB,
          itemStyle: { color: chosen ? colour.ours : colour.oursSoft },
        })),
        emphasis: { disabled: true },
      },
    ],
  };
}
