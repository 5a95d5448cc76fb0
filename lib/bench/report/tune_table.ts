import { isDeepStrictEqual } from 'node:util';
import { tableLines, type Column } from '../../cli/table.js';
import { count, printable } from '../../cli/text.js';
import type { TuneResult } from '../result.js';
import { spread, type Spread } from '../statistics.js';
import { conditionFacts, optionsText } from './conditions.js';
import { cpuSecondsPerGiB, gigabytesPerSecond } from './figures.js';
import { conditionLines, findingLines, listLines, section } from './text_lines.js';
import { medianText, rangeText } from './units.js';

export type TunePoint = TuneResult['points'][number];

export interface PointFigures {
  readonly point: TunePoint;
  readonly rate: Spread | undefined;
  readonly cpu: Spread | undefined;
  /** It has the value of its axis that was chosen. */
  readonly chosen: boolean;
}

/** The points of each axis, in the order in which they were tried. */
export function pointsByAxis({ points, chosen }: TuneResult): Map<string, PointFigures[]> {
  const axes = new Map<string, PointFigures[]>();
  for (const point of points) {
    const figures = {
      point,
      rate: spread(point.samples.map(gigabytesPerSecond)),
      cpu: spread(point.samples.map(cpuSecondsPerGiB)),
      chosen: isChosen(point, chosen),
    };
    axes.set(point.axis, [...(axes.get(point.axis) ?? []), figures]);
  }
  return axes;
}

/** An axis that is no option of the writer, such as the number of files, is judged by all options of the point. */
function isChosen({ axis, writer }: TunePoint, chosen: TuneResult['chosen']): boolean {
  return axis in writer && axis in chosen
    ? isDeepStrictEqual(writer[axis], chosen[axis])
    : isDeepStrictEqual(writer, chosen);
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
      listLines([optionsText(result.chosen)], width, () => '  '),
    ),
    ...section('Findings', findingLines(result.findings, width)),
  ];
}
