/**
 * Colours by name: properties of the page's style, so that light, dark and print need no other drawing. Those that
 * meet in one chart differ in lightness as well, for who sees or prints no colours.
 */
export const colour = {
  ink: 'var(--ink)',
  muted: 'var(--muted)',
  grid: 'var(--grid)',
  surface: 'var(--surface)',
  ours: 'var(--ours)',
  oursSoft: 'var(--ours-soft)',
  limit: 'var(--limit)',
  limitSoft: 'var(--limit-soft)',
  rival: 'var(--rival)',
  rivalSoft: 'var(--rival-soft)',
  alert: 'var(--alert)',
  shade: 'var(--shade)',
} as const;

/** Without quotes: they would end the attributes of a drawing that is made outside of a browser. */
export const fontFamily = 'system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, Arial, sans-serif';

/** A chart as ECharts takes it. */
export type ChartOption = Record<string, unknown>;

/** What a chart may know of the place it is drawn in. */
export interface Room {
  readonly width: number;
  readonly height: number;
}

export const isNarrow = ({ width }: Room): boolean => width < 560;

export const axisText = { color: colour.muted, fontFamily, fontSize: 12 };
export const labelText = { color: colour.ink, fontFamily, fontSize: 12 };

/** What all charts have in common. A tooltip is drawn, not HTML: no name can become a tag. */
export const base: ChartOption = {
  animation: false,
  textStyle: { fontFamily, color: colour.ink },
  tooltip: {
    renderMode: 'richText',
    confine: true,
    backgroundColor: colour.surface,
    borderColor: colour.muted,
    borderWidth: 1,
    textStyle: { ...labelText, lineHeight: 18 },
    axisPointer: { lineStyle: { color: colour.muted }, shadowStyle: { color: colour.shade } },
  },
};

export const legend: ChartOption = {
  top: 0,
  left: 0,
  itemWidth: 18,
  itemHeight: 10,
  itemGap: 14,
  icon: 'rect',
  textStyle: labelText,
  inactiveColor: colour.grid,
  inactiveBorderColor: colour.grid,
};

/** Of lines: they show how they are drawn. */
export const lineLegend: ChartOption = { ...legend, icon: undefined, itemWidth: 28, itemHeight: 2 };

interface AxisName {
  readonly name: string;
  readonly narrow?: boolean;
}

const common = {
  axisLine: { show: true, lineStyle: { color: colour.muted } },
  axisTick: { lineStyle: { color: colour.muted } },
  axisLabel: axisText,
  splitLine: { lineStyle: { color: colour.grid } },
  nameTextStyle: axisText,
};

/** Its name stands below the middle. */
export function bottomAxis({ name }: AxisName): ChartOption {
  return { ...common, name, nameLocation: 'middle', nameGap: 28, splitLine: { show: false } };
}

/** Its name stands above its end. */
export function leftAxis({ name }: AxisName): ChartOption {
  return {
    ...common,
    name,
    nameLocation: 'end',
    nameGap: 10,
    nameTextStyle: { ...axisText, align: 'left', padding: [0, 0, 0, -30] },
  };
}
