import { wrap } from './text.js';

export interface Column<Row> {
  readonly title: string;
  readonly align?: 'right';
  /** Takes what the others leave, and goes on in the next line where that is too little. One column at most. */
  readonly flexible?: true;
  readonly text: (row: Row) => string;
}

const gap = '  ';
const flexibleWidthMin = 24;

function widthsOf(columns: readonly { flexible?: true }[], cells: readonly (readonly string[])[], limit: number): number[] {
  const widths = columns.map((_, index) => cells.reduce((width, row) => Math.max(width, row[index]!.length), 0));
  const flexible = columns.findIndex((column) => column.flexible);
  if (flexible < 0) return widths;
  const others = widths.reduce((sum, width, index) => (index === flexible ? sum : sum + width + gap.length), 0);
  widths[flexible] = Math.min(widths[flexible]!, Math.max(flexibleWidthMin, limit - others));
  return widths;
}

/**
 * Rows below a heading, the columns two spaces apart. Columns that are empty in all rows are left out.
 * @param width characters of a line, as far as the flexible column can give way
 */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number): string[] {
  const used = columns.filter((column) => rows.some((row) => column.text(row) !== ''));
  const cells = [used.map(({ title }) => title), ...rows.map((row) => used.map((column) => column.text(row)))];
  const widths = widthsOf(used, cells, width);
  return cells.flatMap((row) => {
    const wrapped = row.map((cell, index) => wrap(cell, widths[index]!));
    const height = Math.max(...wrapped.map((pieces) => pieces.length));
    return Array.from({ length: height }, (_, line) =>
      used
        .map(({ align }, index) => {
          const piece = wrapped[index]![line] ?? '';
          return align === 'right' ? piece.padStart(widths[index]!) : piece.padEnd(widths[index]!);
        })
        .join(gap)
        .trimEnd(),
    );
  });
}

/** `key   value` below each other; a value of several lines goes on below itself. */
export function factLines(facts: readonly (readonly [key: string, value: string | readonly string[]])[], width: number): string[] {
  const keyWidth = Math.max(...facts.map(([key]) => key.length)) + gap.length;
  return facts.flatMap(([key, value]) => {
    const lines = [value].flat().flatMap((line) => wrap(line, width - keyWidth));
    return lines.map((line, index) => `${(index === 0 ? key : '').padEnd(keyWidth)}${line}`.trimEnd());
  });
}
