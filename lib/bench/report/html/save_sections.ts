import { count } from '../../../cli/text.js';
import type { Meaning } from '../../result.js';
import { lossHeight, sweepHeight, throughputHeight, timelineHeight } from '../charts/heights.js';
import type { LossChart } from '../charts/loss.js';
import type { SaveChart } from '../charts/saves.js';
import type { SweepChart } from '../charts/sweep.js';
import { intervalText, lossesByInterval, meaningHead, meaningSource, type IntervalLoss } from '../meaning_table.js';
import { digits, rangeText, shareIn, shortSize, timeIn } from '../units.js';
import { figureMarkup } from './figure.js';
import { html, type Markup } from './markup.js';
import { tableMarkup, withRange, type HtmlColumn } from './table.js';

function throughputSummary({ name, total, limit, binSeconds }: SaveChart): string {
  const [most, least] = [Math.max(...total), Math.min(...total)];
  const over = limit ? `; the limit ${digits(limit.rate)} GB/s` : '';
  return `${name}: between ${digits(least)} and ${digits(most)} GB/s in stretches of ${timeIn(binSeconds)}${over}`;
}

function timelineCaption(saves: readonly SaveChart[]): string {
  const { timeline } = saves[0]!;
  const part = saves.find((save) => save.timeline.requests.length < save.timeline.blocks)?.timeline;
  return (
    `Blocks of ${shortSize(timeline.blockBytes)} of the rank that ended last. Of each block a thread gathers, the height ` +
    'shows how much of the time it copied and how much it hashed. Below, each block from full to completed. ' +
    (part === undefined
      ? ''
      : `${part.requests.length} of ${part.blocks} blocks are drawn: those around the longest stall; a trace file has all. `) +
    'Drag, or use the slider, to look closer.'
  );
}

/** One save over time: what the device completed, and what became of each block. */
export function savesSection(saves: readonly SaveChart[]): Markup {
  if (saves.length === 0) return html``;
  const choose =
    saves.length === 1
      ? undefined
      : html`<label class="choose"
          >Save:
          <select id="save">
            ${saves.map(({ name }, index) => html`<option value="${index}">${name}</option>`)}
          </select></label
        > `;
  return html`<h2>Within a save</h2>
    ${choose}${figureMarkup({
      chart: 'throughput',
      title: 'Throughput over time',
      caption:
        'Bytes that the device completed in each stretch of time. Shaded: everything is written and being synced, then published. ' +
        'A gap is a stall, a step down the end of a cache.',
      summary: throughputSummary(saves[0]!),
      height: throughputHeight,
    })}${figureMarkup({
      chart: 'timeline',
      title: 'The pipeline, block by block',
      caption: timelineCaption(saves),
      summary: `What the stager threads and the device did with each block of ${saves[0]!.name}`,
      height: Math.max(...saves.map(({ timeline }) => timelineHeight(timeline))),
    })}`;
}

function intervalTable(meaning: Meaning): Markup {
  const columns: HtmlColumn<IntervalLoss>[] = [
    { title: 'a save every', number: true, cell: ({ intervalSeconds }) => timeIn(intervalSeconds) },
    ...meaning.losses.map(({ way }, index): HtmlColumn<IntervalLoss> => ({
      title: `lost, ${way}`,
      number: true,
      cell: ({ shares }) => (shares[index] === undefined ? '' : shareIn(shares[index])),
    })),
  ];
  return tableMarkup('Time lost by interval', columns, [{ rows: lossesByInterval(meaning, 10) }]);
}

export function meaningSection(meaning: Meaning | undefined, chart: LossChart | undefined): Markup {
  if (meaning === undefined) return html``;
  return html`<h2>What it means for a training run</h2>
    <p>${meaningHead(meaning)}</p>
    ${tableMarkup(
      'Best intervals',
      [
        { title: 'saves', cell: ({ way }) => way },
        { title: 'pause a save', number: true, cell: ({ pauseSeconds }) => timeIn(pauseSeconds) },
        {
          title: 'best interval',
          number: true,
          cell: ({ bestIntervalSeconds }) => intervalText(bestIntervalSeconds, meaning.stepSeconds),
        },
        { title: 'time lost then', number: true, cell: ({ lostShare }) => shareIn(lostShare) },
      ],
      [{ rows: meaning.losses }],
    )}${
      chart === undefined
        ? undefined
        : figureMarkup({
            chart: 'loss',
            title: 'Time lost against the interval between saves',
            caption: 'To the left saves take the time, to the right the work that a failure takes away does.',
            summary: chart.curves
              .map(({ way, best }) => `${way} saves: best every ${timeIn(best[0])}, ${shareIn(best[1])} lost`)
              .join('; '),
            height: lossHeight,
          })
    }${intervalTable(meaning)}
    <p class="note">${meaningSource}</p> `;
}

export function sweepSection(charts: readonly SweepChart[], rounds: number): Markup {
  const figures = charts.map(({ axis, points }, index) =>
    figureMarkup({
      chart: 'sweep',
      index,
      title: axis,
      caption: `Median of ${count(rounds, 'round')}, whiskers from slowest to fastest; below, processor time.`,
      summary: points
        .map(({ label, rate, chosen }) => `${label} ${digits(rate.median)} GB/s${chosen ? ', chosen' : ''}`)
        .join(', '),
      height: sweepHeight,
    }),
  );
  const groups = charts.map(({ axis, points }) => ({ title: axis, rows: points }));
  return html`<div class="pair">${figures}</div>
    ${tableMarkup(
      'The sweep',
      [
        { title: '', cell: ({ label, chosen }) => `${label}${chosen ? ' (chosen)' : ''}` },
        { title: 'durable GB/s', number: true, cell: ({ rate }) => withRange(digits(rate.median), rangeText(rate)) },
        { title: 'CPU s/GiB', number: true, cell: ({ cpuSecondsPerGiB }) => digits(cpuSecondsPerGiB) },
      ],
      groups,
      ({ chosen }) => chosen,
    )}`;
}
