import { gapUnits, threadUnits, timelineUnits } from '../charts/heights.js';
import type { Gather, Request, Timeline } from '../charts/timeline.js';
import { timeIn } from '../units.js';
import { group, plotArea, rectangle, within, type Api, type Params, type Shape } from './shapes.js';
import {
  axisText,
  base,
  bottomAxis,
  colour,
  isNarrow,
  labelText,
  legend,
  type ChartOption,
  type Room,
} from './theme.js';

interface Lane {
  readonly top: number;
  readonly height: number;
}

const threadLane = (lane: number): Lane => ({ top: lane * threadUnits, height: threadUnits * 0.85 });
const requestLane = (lane: number, { threads }: Timeline): Lane => ({
  top: threads * threadUnits + gapUnits + lane,
  height: 0.8,
});

/** From the moment `from` to `to`, of a lane or, by two shares of its height, of a part of it. */
function stretch(
  params: Params,
  api: Api,
  [from, to]: readonly [number, number],
  { top, height }: Lane,
): { x: number; y: number; width: number; height: number } | undefined {
  const [x = 0, y = 0] = api.coord([from, top]);
  const [end = 0, bottom = 0] = api.coord([to, top + height]);
  const inside = within(x, end, plotArea(params));
  return inside && { ...inside, y, height: Math.max(bottom - y, 0.5) };
}

/** Of the height, as large a share as it took of the time. */
function gatherShape(params: Params, api: Api, gather: Gather, part: 'copy' | 'hash'): Shape {
  const [lane, start, end, copied, hashed] = gather;
  const { top, height } = threadLane(lane);
  const whole = Math.max(end - start, copied + hashed, 1e-9);
  const share = (part === 'copy' ? copied : hashed) / whole;
  const place = { top: part === 'copy' ? top + height * (1 - share) : top, height: height * share };
  const area = stretch(params, api, [start, end], place);
  return area === undefined ? group([]) : rectangle(area, { fill: part === 'copy' ? colour.ours : colour.oursSoft });
}

function requestShape(params: Params, api: Api, request: Request, part: 'wait' | 'device', timeline: Timeline): Shape {
  const [lane, begun, submitted, completed] = request;
  const ends = part === 'wait' ? ([begun, submitted] as const) : ([submitted, completed] as const);
  const area = stretch(params, api, ends, requestLane(lane, timeline));
  if (area === undefined || ends[0] === ends[1]) return group([]);
  return rectangle(area, {
    fill: part === 'wait' ? colour.rivalSoft : colour.limit,
    stroke: colour.surface,
    lineWidth: area.width > 3 ? 0.5 : 0,
  });
}

const gatherText = ([, start, end, copied, hashed, block]: Gather): string =>
  [
    `block ${block}, gathered in ${timeIn(end - start)}`,
    `from ${timeIn(start)} on`,
    `copied ${timeIn(copied)}, hashed ${timeIn(hashed)}`,
  ].join('\n');

const requestText = ([, begun, submitted, completed, block]: Request): string =>
  [
    `block ${block}, full at ${timeIn(begun)}`,
    `waited ${timeIn(submitted - begun)}`,
    `in flight ${timeIn(completed - submitted)}`,
  ].join('\n');

function seriesOf(timeline: Timeline): ChartOption[] {
  const { gathers, requests } = timeline;
  const gatherSeries = (name: 'copy' | 'hash', color: string): ChartOption => ({
    name,
    type: 'custom',
    data: gathers.map(([lane, start, end]) => [start, end, lane]),
    itemStyle: { color },
    tooltip: { formatter: ({ dataIndex }: { dataIndex: number }) => gatherText(gathers[dataIndex]!) },
    renderItem: (params: Params, api: Api) => gatherShape(params, api, gathers[params.dataIndex]!, name),
  });
  const requestSeries = (name: string, part: 'wait' | 'device', color: string): ChartOption => ({
    name,
    type: 'custom',
    data: requests.map(([lane, begun, , completed]) => [begun, completed, lane]),
    itemStyle: { color },
    tooltip: { formatter: ({ dataIndex }: { dataIndex: number }) => requestText(requests[dataIndex]!) },
    renderItem: (params: Params, api: Api) => requestShape(params, api, requests[params.dataIndex]!, part, timeline),
  });
  return [
    gatherSeries('copy', colour.ours),
    gatherSeries('hash', colour.oursSoft),
    requestSeries('waits in the queue', 'wait', colour.rivalSoft),
    requestSeries('in flight on the device', 'device', colour.limit),
  ].map((series) => ({ ...series, encode: { x: [0, 1], y: 2 }, clip: true, emphasis: { disabled: true } }));
}

/** Where each lane's name stands: in its middle. */
function laneNames(timeline: Timeline): Map<number, string> {
  const middle = ({ top, height }: Lane): number => top + height / 2;
  const threads = Array.from(
    { length: timeline.threads },
    (_, lane) => [middle(threadLane(lane)), `thread ${lane}`] as const,
  );
  const first = requestLane(0, timeline);
  return new Map([...threads, [first.top + timeline.depth / 2, 'device\nqueue']]);
}

const isWhole = ({ requests, blocks }: Timeline): boolean => requests.length === blocks;

const zoom = { xAxisIndex: 0, filterMode: 'weakFilter' };

/** Scrolling the page must not zoom. */
const wheel = {
  type: 'inside',
  ...zoom,
  zoomOnMouseWheel: 'ctrl',
  moveOnMouseMove: true,
  moveOnMouseWheel: false,
  preventDefaultMouseMove: false,
};

const slider = {
  type: 'slider',
  ...zoom,
  bottom: 8,
  height: 22,
  showDataShadow: false,
  brushSelect: false,
  backgroundColor: colour.surface,
  fillerColor: colour.shade,
  borderColor: colour.muted,
  handleStyle: { color: colour.surface, borderColor: colour.ink },
  moveHandleStyle: { color: colour.muted, opacity: 0.6 },
  textStyle: axisText,
  labelFormatter: (seconds: number) => timeIn(Math.max(0, seconds)),
  emphasis: {
    handleStyle: { color: colour.surface, borderColor: colour.ink },
    moveHandleStyle: { color: colour.ink, opacity: 0.6 },
  },
};

/** What became of each block: gathered by which thread, full, given to the device, completed. */
export function timelineOption(timeline: Timeline, room: Room): ChartOption {
  const names = laneNames(timeline);
  const left = isNarrow(room) ? 56 : 66;
  return {
    ...base,
    legend: { ...legend },
    grid: { left, right: 16, top: isNarrow(room) ? 56 : 34, bottom: 92 },
    tooltip: { ...(base.tooltip as object), trigger: 'item' },
    dataZoom: [wheel, slider],
    xAxis: {
      ...bottomAxis({ name: 'seconds since save() was called' }),
      type: 'value',
      min: isWhole(timeline) ? 0 : timeline.fromSeconds,
      max: timeline.toSeconds,
      axisLine: { onZero: false, lineStyle: { color: colour.muted } },
      axisLabel: { ...axisText, showMinLabel: isWhole(timeline), showMaxLabel: false },
      splitLine: { show: true, lineStyle: { color: colour.grid } },
    },
    yAxis: {
      type: 'value',
      inverse: true,
      min: 0,
      max: timelineUnits(timeline),
      axisLine: { show: false },
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: {
        ...labelText,
        lineHeight: 14,
        customValues: [...names.keys()],
        formatter: (value: number) => nearest(names, value),
      },
    },
    series: seriesOf(timeline),
  };
}

function nearest(names: ReadonlyMap<number, string>, value: number): string {
  return [...names].find(([place]) => Math.abs(place - value) < 1e-6)?.[1] ?? '';
}
