/** The script of the page: draws the charts from the data that lies in it, and again when they get another width. */
import type { EChartsType } from 'echarts/core';
import type { PageData } from '../page_data.js';
import { barsOption } from './bars.js';
import { browser, type Choice, type Disclosure, type Element } from './browser.js';
import { init } from './echarts.js';
import { lossOption } from './loss.js';
import { sweepOption } from './sweep.js';
import { throughputOption } from './throughput.js';
import { timelineOption } from './timeline.js';
import type { ChartOption, Room } from './theme.js';

const { document } = browser;
const data = JSON.parse(document.getElementById('data')!.textContent!) as PageData;
const choice = document.getElementById('save') as Choice | null;
const charts = new Map<Element, EChartsType>();

function optionOf({ dataset }: Element, room: Room): ChartOption {
  const index = Number(dataset.index);
  const save = data.saves[Number(choice?.value ?? 0)]!;
  switch (dataset.chart) {
    case 'bars':
      return barsOption(data.bars[index]!, room);
    case 'throughput':
      return throughputOption(
        save,
        data.saves.filter((other) => other !== save),
        room,
      );
    case 'timeline':
      return timelineOption(save.timeline, room);
    case 'loss':
      return lossOption(data.loss!, room);
    default:
      return sweepOption(data.sweep[index]!);
  }
}

/** The drawing scales with its frame: paper has another width than the window. */
function letScale(element: Element, { width, height }: Room): void {
  const drawing = element.querySelector('svg');
  drawing?.setAttribute('viewBox', `0 0 ${width} ${height}`);
  drawing?.setAttribute('aria-hidden', 'true');
}

function draw(element: Element): void {
  const room = { width: element.clientWidth, height: Number(element.dataset.height) };
  if (room.width === 0) return;
  let chart = charts.get(element);
  if (chart === undefined) {
    chart = init(element, null, { renderer: 'svg', ...room });
    charts.set(element, chart);
  } else {
    chart.resize(room);
  }
  chart.setOption(optionOf(element, room), { notMerge: true });
  letScale(element, room);
}

const elements = [...document.querySelectorAll('[data-chart]')];
const disclosures = [...document.querySelectorAll('details')] as Disclosure[];

let printing = false;
const widths = new Map<Element, number>();
const observer = new browser.ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (printing || widths.get(target) === target.clientWidth) continue;
    widths.set(target, target.clientWidth);
    draw(target);
  }
});
for (const element of elements) {
  draw(element);
  widths.set(element, element.clientWidth);
  observer.observe(element);
}

choice?.addEventListener('change', () => {
  for (const element of elements)
    if (element.dataset.chart === 'throughput' || element.dataset.chart === 'timeline') draw(element);
});

let closed: Disclosure[] = [];
browser.addEventListener('beforeprint', () => {
  printing = true;
  closed = disclosures.filter(({ open }) => !open);
  for (const disclosure of closed) disclosure.open = true;
});
browser.addEventListener('afterprint', () => {
  printing = false;
  for (const disclosure of closed) disclosure.open = false;
});
