import type { BenchResult, Row, Sample } from '../../result.js';
import { cacheSentences, legend } from '../bench_table.js';
import type { Bar, BarChart } from '../charts/bars.js';
import { barsHeight } from '../charts/heights.js';
import {
  cpuSecondsPerGiB,
  figuresByPhase,
  gigabytesPerSecond,
  memoryOf,
  writtenRate,
  type PhaseFigures,
  type RowFigures,
} from '../figures.js';
import { rankSentences } from '../rank_spread.js';
import type { Spread } from '../../statistics.js';
import { digits, medianText, rangeText, shortSize, timeIn } from '../units.js';
import { figureMarkup } from './figure.js';
import { html, type Markup } from './markup.js';
import { tableMarkup, withRange, type HtmlColumn } from './table.js';

const figure = (
  title: string,
  value: (figures: RowFigures) => Spread | undefined,
  text: (value: number) => string = digits,
): HtmlColumn<RowFigures> => ({
  title,
  number: true,
  cell: (figures) => {
    const spread = value(figures);
    return withRange(medianText(spread, text), spread === undefined ? '' : rangeText(spread, text));
  },
});

const columns: readonly HtmlColumn<RowFigures>[] = [
  {
    title: '',
    cell: ({ row }) =>
      html`${row.label}${row.kind === 'limit' ? ' (limit)' : ''} <small class="range">${row.how}</small>`,
  },
  figure('durable GB/s', ({ durable }) => durable),
  figure('written GB/s', ({ written }) => written),
  figure('over the limit', ({ ratio }) => ratio),
  figure('pause', ({ pauseSeconds }) => pauseSeconds, timeIn),
  figure('CPU s/GiB', (figures) => figures.cpuSecondsPerGiB),
  figure('memory', ({ memoryBytes }) => memoryBytes, shortSize),
];

/** The first row of ours in the first phase that has one, as large figures. */
export function tiles(phases: readonly PhaseFigures[]): Markup {
  const phase = phases.find(({ rows }) => rows.some(({ row }) => row.kind === 'ours'));
  const ours = phase?.rows.find(({ row }) => row.kind === 'ours');
  if (!phase || !ours) return html``;
  const { durable, ratio, pauseSeconds, memoryBytes } = ours;
  const all: readonly (readonly [string, Spread | undefined, (value: number) => string, string])[] = [
    [`${phase.phase}, durable`, durable, (value) => `${digits(value)} GB/s`, ''],
    [`of ${phase.limit?.label ?? 'the limit'}`, ratio, digits, 'same round'],
    ['pause of a step', pauseSeconds, timeIn, ''],
    ['CPU', ours.cpuSecondsPerGiB, (value) => `${digits(value)} s/GiB`, ''],
    ['extra memory', memoryBytes, shortSize, 'beyond the tensors'],
  ];
  return html`<dl class="tiles">
    ${all.map(([name, value, text, remark]) =>
      value === undefined
        ? html``
        : html`<div>
            <dt>${name}</dt>
            <dd>${text(value.median)} <small>${rangeText(value, text)}${remark === '' ? '' : `, ${remark}`}</small></dd>
          </div> `,
    )}
  </dl> `;
}

/** The table of all rows, and what it says in sentences. */
export function figuresSection(result: BenchResult, phases: readonly PhaseFigures[]): Markup {
  const missing = phases.flatMap((phase) => phase.missing);
  const groups = phases.filter(({ rows }) => rows.length > 0).map(({ phase, rows }) => ({ title: phase, rows }));
  const sentences = [...legend(result, phases, 'over the limit'), ...rankSentences(result), ...cacheSentences(phases)];
  return html`<h2>All figures</h2>
    ${tableMarkup('All figures', columns, groups, ({ row }) => row.kind === 'ours')}
    <ul class="note">
      ${sentences.map((sentence) => html`<li>${sentence}</li> `)}
    </ul>
    ${
      missing.length === 0
        ? undefined
        : html`<h3>Not measured</h3>
            <ul class="note">
              ${missing.map((row) => html`<li>${row.label}: ${row.missing ?? 'not measured'}</li>`)}
            </ul> `
    }`;
}

const titles: Readonly<Record<BarChart['phase'], string>> = {
  save: 'Save, until durable',
  verify: 'Verify',
  'restore cold': 'Restore with nothing in the page cache, until verified',
  'restore warm': 'Restore from the page cache, until verified',
  copy: 'Copy in memory',
};

const kinds: readonly Bar['kind'][] = ['ours', 'limit', 'rival'];

function barsKey({ bars }: BarChart): Markup {
  const used = kinds.filter((kind) => bars.some((bar) => bar.kind === kind));
  const names = { ours: 'ours', limit: 'limit of the device', rival: 'others' };
  const soft = bars.some(({ written }) => written)
    ? html`<li><span class="soft"></span>below, paler: written, not yet synced</li>`
    : undefined;
  return html`<ul class="key">
    ${used.map((kind) => html`<li><span class="${kind}"></span>${names[kind]}</li>`)}${soft}
  </ul> `;
}

export function barsSection(charts: readonly BarChart[]): Markup {
  return html`${charts.map((chart, index) =>
    figureMarkup({
      chart: 'bars',
      index,
      title: titles[chart.phase],
      caption:
        'Medians over the rounds; whiskers from the slowest round to the fastest.' +
        (chart.limit ? ` The dashed line is the limit: ${chart.limit.label}.` : ''),
      summary: chart.bars.map(({ label, durable }) => `${label} ${digits(durable.median)} GB/s`).join(', '),
      height: barsHeight(chart),
      key: barsKey(chart),
    }),
  )}`;
}

interface Repeat {
  readonly row: Row;
  readonly sample: Sample;
}

const repeatColumns: readonly HtmlColumn<Repeat>[] = [
  { title: 'row', cell: ({ row }) => row.label },
  { title: 'round', number: true, cell: ({ sample }) => String(sample.round) },
  { title: 'begun', class: 'number', cell: ({ sample }) => sample.startedAt },
  { title: 'seconds', number: true, cell: ({ sample }) => sample.seconds.toFixed(3) },
  { title: 'durable GB/s', number: true, cell: ({ sample }) => digits(gigabytesPerSecond(sample)) },
  { title: 'written GB/s', number: true, cell: ({ sample }) => optional(writtenRate(sample), digits) },
  { title: 'pause', number: true, cell: ({ sample }) => optional(sample.pauseSeconds, timeIn) },
  { title: 'CPU s/GiB', number: true, cell: ({ sample }) => digits(cpuSecondsPerGiB(sample)) },
  { title: 'memory', number: true, cell: ({ row, sample }) => optional(memoryOf(row, sample), shortSize) },
];

const optional = (value: number | undefined, text: (value: number) => string): string =>
  value === undefined ? '' : text(value);

/** Each measurement, by phase. */
export function repeatsSection(result: BenchResult): Markup {
  const groups = figuresByPhase(result)
    .filter(({ rows }) => rows.length > 0)
    .map(({ phase, rows }) => ({
      title: phase,
      rows: rows.flatMap(({ row }) => row.samples.map((sample) => ({ row, sample }))),
    }));
  return html`<h2>Every round</h2>
    <details>
      <summary>Show all measurements</summary>
      ${tableMarkup('Every round', repeatColumns, groups)}
    </details> `;
}
