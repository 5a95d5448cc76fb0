import { tableLines, type Column } from '../../cli/table.js';
import { count, printable } from '../../cli/text.js';
import type { BenchResult, Phase, Row } from '../result.js';
import { conditionFacts } from './conditions.js';
import { figuresByPhase, roundsOf, type PhaseFigures, type RowFigures } from './figures.js';
import { meaningLines } from './meaning_table.js';
import { rankSentences } from './rank_spread.js';
import { conditionLines, findingLines, listLines, section } from './text_lines.js';
import { medianText, rangeText, shareIn, shortSize, timeIn } from './units.js';

/** A row of figures, or the name of the phase above its rows. */
type Line = { readonly phase: Phase } | RowFigures;

const isFigures = (line: Line): line is RowFigures => 'row' in line;

type Text = (figures: RowFigures) => string;

const right = (title: string, text: Text): Column<Line> => ({
  title,
  align: 'right',
  text: (line) => (isFigures(line) ? text(line) : ''),
});

const labelOf = ({ kind, label }: Row): string => `${kind === 'ours' ? '>' : ' '} ${printable(label)}`;

const labelColumn = (rounds: number): Column<Line> => ({
  title: `${count(rounds, 'round')}, rates in GB/s`,
  flexible: true,
  text: (line) => (isFigures(line) ? labelOf(line.row) : line.phase),
});

const columns = {
  durable: right('durable', ({ durable }) => medianText(durable)),
  durableRange: right('min..max', ({ durable }) => (durable === undefined ? '' : rangeText(durable))),
  written: right('written', ({ written }) => medianText(written)),
  writtenRange: right('min..max', ({ written }) => (written === undefined ? '' : rangeText(written))),
  ratio: right('/limit', ({ ratio }) => medianText(ratio)),
  pause: right('pause', ({ pauseSeconds }) => medianText(pauseSeconds, timeIn)),
  cpu: right('CPU', ({ cpuSecondsPerGiB }) => medianText(cpuSecondsPerGiB)),
  memory: right('memory', ({ memoryBytes }) => medianText(memoryBytes, shortSize)),
};

/** From all columns to the least that tell; the first that fits is taken. */
const layouts: readonly (readonly (keyof typeof columns)[])[] = [
  ['durable', 'durableRange', 'written', 'writtenRange', 'ratio', 'pause', 'cpu', 'memory'],
  ['durable', 'durableRange', 'written', 'ratio', 'pause', 'cpu', 'memory'],
  ['durable', 'written', 'ratio', 'pause', 'cpu', 'memory'],
  ['durable', 'ratio', 'pause', 'cpu'],
];

function figureLines(phases: readonly PhaseFigures[], rounds: number, width: number): string[] {
  const lines = phases.filter(({ rows }) => rows.length > 0).flatMap(({ phase, rows }): Line[] => [{ phase }, ...rows]);
  const tables = layouts.map((layout) =>
    tableLines([labelColumn(rounds), ...layout.map((name) => columns[name])], lines, width),
  );
  return tables.find((table) => table.every((line) => line.length <= width)) ?? tables.at(-1)!;
}

/** What the columns mean, and what the ratios are over. */
export function legend(result: BenchResult, phases: readonly PhaseFigures[], ratio = '/limit'): string[] {
  const limits = phases.flatMap(({ phase, limit }) => (limit === undefined ? [] : [`${limit.label} (${phase})`]));
  return [
    `Medians and min..max of ${count(roundsOf(result), 'round')}. durable, written: 10^9 bytes a second, until everything is synced ` +
      'or read and verified, and until the device has taken the last byte. pause: how long the tensors must not change. ' +
      'CPU: seconds a GiB. memory: at its highest, beyond the tensors; of a save also what it left in the page cache.',
    ...(limits.length === 0 ? [] : [`${ratio}: durable, over the limit in the same round: ${limits.join(', ')}.`]),
  ];
}

/** How cold a cold restore was, and how warm a warm one. */
export function cacheSentences(phases: readonly PhaseFigures[]): string[] {
  return phases.flatMap(({ phase, rows }) => {
    const shares = rows.flatMap(({ row, cachedShare }) =>
      cachedShare === undefined ? [] : [`${row.label} ${shareIn(cachedShare.median)}`],
    );
    return shares.length === 0 ? [] : [`${phase}, in the page cache when it began: ${shares.join(', ')}`];
  });
}

/**
 * A whole report: conditions, one table, what it means, findings.
 * @param width characters of a line: at 100 all columns fit, at 80 the ranges of the less telling ones are left out
 */
export function benchTable(result: BenchResult, width: number): string[] {
  const phases = figuresByPhase(result);
  const missing = phases
    .flatMap((phase) => phase.missing)
    .map(({ label, missing: why = 'not measured' }) => `${label}: ${why}`);
  const dash = (): string => '- ';
  return [
    ...conditionLines(conditionFacts(result), width),
    ...section('', listLines(result.target.remarks, width, dash)),
    ...section('', figureLines(phases, roundsOf(result), width)),
    ...section(
      '',
      listLines(legend(result, phases), width, () => ''),
    ),
    ...section('Not measured', listLines([...new Set(missing)], width, dash)),
    ...section('', listLines([...rankSentences(result), ...cacheSentences(phases)], width, dash)),
    ...section('What it means', meaningLines(result.meaning, width)),
    ...section('Findings', findingLines(result.findings, width)),
  ];
}
