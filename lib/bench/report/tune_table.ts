import { isDeepStrictEqual } from 'node:util';
import { tableLines, type Column } from '../../cli/table.js';
import { count, printable } from '../../cli/text.js';
import { groupBy } from '../cut.js';
import type { TuneResult } from '../result.js';
import { spread, type Spread } from '../statistics.js';
import { conditionFacts, optionsText } from './conditions.js';
import { cpuSecondsPerGiB, gigabytesPerSecond } from './figures.js';
import { conditionLines, findingLines, listLines, section } from './text_lines.js';
import { medianText, rangeText, timeIn } from './units.js';

export type TunePoint = TuneResult['points'][number];

export interface PointFigures {
  readonly point: TunePoint;
  readonly rate: Spread | undefined;
  readonly cpu: Spread | undefined;
  readonly pauseSeconds: Spread | undefined;
  /** It has the value of its axis that was chosen. */
  readonly chosen: boolean;
}

/** The points of each axis, in the order in which they were tried. */
export function pointsByAxis({ points, chosen }: TuneResult): Map<string, PointFigures[]> {
  const axes = groupBy(points, ({ axis }) => axis);
  return new Map(
    [...axes].map(([axis, ofAxis]) => {
      const isChosen = choiceAmong(ofAxis, chosen);
      const figures = ofAxis.map((point) => ({
        point,
        rate: spread(point.samples.map(gigabytesPerSecond)),
        cpu: spread(point.samples.map(cpuSecondsPerGiB)),
        pauseSeconds: spread(point.samples.flatMap(({ pauseSeconds }) => pauseSeconds ?? [])),
        chosen: isChosen(point),
      }));
      return [axis, figures];
    }),
  );
}

/** Points are told apart by the options in which they differ; what the axis does not vary does not count. */
function choiceAmong(points: readonly TunePoint[], chosen: TuneResult['chosen']): (point: TunePoint) => boolean {
  const names = new Set(points.flatMap(({ writer }) => Object.keys(writer)));
  const varied = [...names].filter((name) => points.some(({ writer }) => !isDeepStrictEqual(writer[name], points[0]?.writer[name])));
  if (varied.length === 0) return ({ writer }) => isDeepStrictEqual(writer, chosen);
  return ({ writer }) => varied.every((name) => isDeepStrictEqual(writer[name], chosen[name]));
}

type Line = { readonly axis: string } | PointFigures;

const isFigures = (line: Line): line is PointFigures => 'point' in line;

const right = (title: string, text: (figures: PointFigures) => string): Column<Line> => ({
  title,
  align: 'right',
  text: (line) => (isFigures(line) ? text(line) : ''),
});

const columns: readonly Column<Line>[] = [
  {
    title: '',
    flexible: true,
    text: (line) =>
      isFigures(line) ? `${line.chosen ? '>' : ' '} ${printable(line.point.label)}` : printable(line.axis),
  },
  right('GB/s', ({ rate }) => medianText(rate)),
  right('min..max', ({ rate }) => (rate === undefined ? '' : rangeText(rate))),
  right('pause', ({ pauseSeconds }) => medianText(pauseSeconds, timeIn)),
  right('CPU s/GiB', ({ cpu }) => medianText(cpu)),
];

/**
 * The sweep: conditions, a table by axis with the chosen values marked, the options to use, findings.
 * @param width characters of a line
 */
export function tuneTable(result: TuneResult, width: number): string[] {
  const lines = [...pointsByAxis(result)].flatMap(([axis, points]): Line[] => [{ axis }, ...points]);
  const legend = `Medians and min..max of ${count(result.settings.repeat, 'round')}, durable; > is what was chosen.`;
  return [
    ...conditionLines(conditionFacts(result), width),
    ...section(
      '',
      listLines(result.target.remarks, width, () => '- '),
    ),
    ...section('', tableLines(columns, lines, width)),
    ...section(
      '',
      listLines([legend], width, () => ''),
    ),
    ...section(
      'Options to use',
      listLines([optionsText(result.chosen) || 'the defaults'], width, () => '  '),
    ),
    ...section('Findings', findingLines(result.findings, width)),
  ];
}
