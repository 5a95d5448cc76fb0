import { tableLines, type Column } from '../../cli/table.js';
import { count, printable, timeText } from '../../cli/text.js';
import type { BenchResult } from '../result.js';
import { compareRows, significance, type ComparedFigure, type ComparedRow } from './compare_figures.js';
import { differencesOf, sameWorkload } from './differences.js';
import { conditionLines, listLines, section } from './text_lines.js';
import { rangeText } from './units.js';

type Line = { readonly title: string } | ComparedFigure;

const isFigure = (line: Line): line is ComparedFigure => 'name' in line;

const right = (title: string, text: (figure: ComparedFigure) => string): Column<Line> => ({
  title,
  align: 'right',
  text: (line) => (isFigure(line) ? text(line) : ''),
});

function changeText({ left, right: after }: ComparedFigure): string {
  if (left.median === 0) return '';
  const percent = (after.median / left.median - 1) * 100;
  return `${percent < 0 ? '-' : '+'}${Math.abs(percent).toFixed(Math.abs(percent) < 9.95 ? 1 : 0)} %`;
}

const verdictText = ({ verdict, tooFew }: ComparedFigure): string => verdict ?? (tooFew ? '?' : '');

const columnsOf = (ranges: boolean): readonly Column<Line>[] => [
  {
    title: '',
    flexible: true,
    text: (line) => (isFigure(line) ? `    ${line.name}` : line.title),
  },
  right('A', ({ left, text }) => text(left.median)),
  ...(ranges ? [right('min..max', ({ left, text }) => rangeText(left, text))] : []),
  right('B', ({ right: after, text }) => text(after.median)),
  ...(ranges ? [right('min..max', ({ right: after, text }) => rangeText(after, text))] : []),
  right('B to A', changeText),
  { title: 'B is', text: (line) => (isFigure(line) ? verdictText(line) : '') },
];

function figureLines(compared: readonly ComparedRow[], width: number): string[] {
  const lines = compared.flatMap(({ row, figures }, index): Line[] => [
    ...(row.phase === compared[index - 1]?.row.phase ? [] : [{ title: row.phase }]),
    { title: `  ${printable(row.label)}` },
    ...figures,
  ]);
  const full = tableLines(columnsOf(true), lines, width);
  return full.every((line) => line.length <= width) ? full : tableLines(columnsOf(false), lines, width);
}

/** How a difference is judged, and what chance alone would mark. */
export function ruleSentences(compared: readonly ComparedRow[]): string[] {
  const figures = compared.flatMap((row) => row.figures);
  const marked = figures.filter(({ verdict }) => verdict !== undefined).length;
  return [
    'better, worse: the rounds of A and B differ by the rank-sum test of Wilcoxon, Mann and Whitney (two-sided, exact, ' +
      `p < ${significance}). Of ${count(figures.length, 'figure')} ${marked} ${marked === 1 ? 'is' : 'are'} marked; chance alone would ` +
      `mark ${Math.round(figures.length * significance)}. It says that two runs differ, not why: a device that was slower ` +
      'that day shows in the limits as well, and not in what is over the limit.',
    ...(figures.some(({ tooFew }) => tooFew)
      ? ['?: the ranges do not meet, but chance does that to so few rounds; 4 each can tell, 5 or more tell well.']
      : []),
  ];
}

const onlyIn = (name: string, these: BenchResult, compared: readonly ComparedRow[]): string[] =>
  these.rows
    .filter(({ samples }) => samples.length > 0)
    .filter((row) => !compared.some((both) => both.row.id === row.id && both.row.phase === row.phase))
    .map(({ phase, label }) => `only in ${name}: ${phase}, ${label}`);

const headOf = ({ createdAt, target, workload }: BenchResult): string =>
  printable(`${timeText(new Date(createdAt))} UTC, ${target.path}, ${workload.label}`);

/**
 * Two runs side by side: first the conditions that differ, then each figure of each row that both have, and whether
 * their rounds tell them apart (see {@link ruleSentences}).
 * @param width characters of a line
 */
export function compareTable(left: BenchResult, right: BenchResult, width: number): string[] {
  const compared = compareRows(left, right);
  const differences = differencesOf(left, right).map(
    ({ condition, left: a, right: b }) => [printable(condition), [`A  ${printable(a)}`, `B  ${printable(b)}`]] as const,
  );
  const unlike = sameWorkload(left, right)
    ? []
    : ['The workloads differ: these figures do not compare. Run both with the same one.'];
  const only = [...onlyIn('A', left, compared), ...onlyIn('B', right, compared)];
  return [
    ...conditionLines(
      [
        ['A', [headOf(left)]],
        ['B', [headOf(right)]],
      ],
      width,
    ),
    ...section(
      '',
      listLines(unlike, width, () => '! '),
    ),
    ...section(
      '',
      differences.length === 0 ? ['No condition differs.'] : ['What differs', ...conditionLines(differences, width)],
    ),
    ...section('', compared.length === 0 ? ['The two have no row in common.'] : figureLines(compared, width)),
    ...section('', compared.length === 0 ? [] : listLines(ruleSentences(compared), width, () => '')),
    ...section(
      '',
      listLines(only, width, () => '- '),
    ),
  ];
}
