import type { CustomSeriesRenderItemAPI, CustomSeriesRenderItemParams, CustomSeriesRenderItemReturn } from 'echarts';

export type Api = CustomSeriesRenderItemAPI;
export type Params = CustomSeriesRenderItemParams;
export type Shape = NonNullable<CustomSeriesRenderItemReturn>;

export interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where the axes of a chart span. */
export function plotArea(params: Params): Area {
  return params.coordSys as unknown as Area;
}

export const line = (x1: number, y1: number, x2: number, y2: number, style: object): Shape => ({
  type: 'line',
  shape: { x1, y1, x2, y2 },
  style,
  silent: true,
});

export const rectangle = (shape: Area, style: object): Shape => ({ type: 'rect', shape, style });

export const text = (x: number, y: number, words: string, style: object): Shape => ({
  type: 'text',
  style: { x, y, text: words, verticalAlign: 'middle', ...style },
  silent: true,
});

/** Elements of one datum. */
export const group = (children: readonly Shape[]): Shape => ({ type: 'group', children: [...children] });

/** The part of a stretch that lies within the plot; `undefined` where none does. */
export function within(from: number, to: number, area: Area): { x: number; width: number } | undefined {
  const x = Math.max(from, area.x);
  const end = Math.min(to, area.x + area.width);
  return end < area.x || x > area.x + area.width ? undefined : { x, width: Math.max(end - x, 0.4) };
}
