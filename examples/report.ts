import Table from 'cli-table3';
import type { Published } from 'snapshard';

const head = [
  '',
  'MB',
  'staged\nms',
  'published\ns',
  'written\nGB/s',
  'durable\nGB/s',
  'CPU\ns/GiB',
  'engine',
  'direct\nI/O',
];

/** Middle value; of an even number of them, the upper of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** One row for each kind of save, with the medians over its saves. At most 100 columns wide. */
export function resultTable(rows: [label: string, saves: readonly Published[]][]): string {
  const table = new Table({
    head,
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'left', 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const [label, saves] of rows) table.push([label, ...figures(saves)]);
  return table.toString();
}

/** Why an engine or direct I/O is not what one would wish, each reason once. */
export function shortcomings(saves: readonly Published[]): string[] {
  const reasons = saves.flatMap(({ direct, directReason, engineReason }) => [
    ...(direct === 'yes' ? [] : [`Direct I/O: ${direct}, ${directReason}`]),
    ...(engineReason === '' ? [] : [`Engine: ${engineReason}`]),
  ]);
  return [...new Set(reasons)];
}

function figures(saves: readonly Published[]): string[] {
  const middle = (figure: (save: Published) => number): number => median(saves.map(figure));
  const gigabytes = middle(({ bytes }) => bytes) / 1e9;
  const gibibytes = middle(({ bytes }) => bytes) / 2 ** 30;
  return [
    (gigabytes * 1e3).toFixed(1),
    (middle(({ timings }) => timings.stagedSeconds) * 1e3).toFixed(0),
    middle(({ timings }) => timings.publishedSeconds).toFixed(2),
    (gigabytes / middle(({ timings }) => timings.writtenSeconds)).toFixed(2),
    (gigabytes / middle(({ timings }) => timings.durableSeconds)).toFixed(2),
    (middle(({ timings }) => timings.cpuSeconds) / gibibytes).toFixed(2),
    [...new Set(saves.map(({ engine }) => engine))].join(', '),
    [...new Set(saves.map(({ direct }) => direct))].join(', '),
  ];
}
