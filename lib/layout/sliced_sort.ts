import type { TimeSlices } from './time_slices.js';

type Compare<Item> = (left: Item, right: Item) => number;

/** What is sorted, or gone through, between looks at the clock. */
const itemsBetweenChecks = 2048;

async function isInOrder<Item>(items: readonly Item[], compare: Compare<Item>, slices: TimeSlices): Promise<boolean> {
  for (let index = 1; index < items.length; index += 1) {
    if (compare(items[index - 1]!, items[index]!) > 0) return false;
    if (index % itemsBetweenChecks === 0 && slices.spent) await slices.pause();
  }
  return true;
}

async function merge<Item>(left: Item[], right: Item[], compare: Compare<Item>, slices: TimeSlices): Promise<Item[]> {
  const merged: Item[] = [];
  let [fromLeft, fromRight] = [0, 0];
  while (fromLeft < left.length && fromRight < right.length) {
    if (compare(left[fromLeft]!, right[fromRight]!) <= 0) merged.push(left[fromLeft++]!);
    else merged.push(right[fromRight++]!);
    if (merged.length % itemsBetweenChecks === 0 && slices.spent) await slices.pause();
  }
  const [rest, from] = fromLeft < left.length ? [left, fromLeft] : [right, fromRight];
  for (let index = from; index < rest.length; index += 1) merged.push(rest[index]!);
  return merged;
}

/**
 * As `toSorted`, giving way to the event loop.
 * @returns the list itself where it is in order already, as mostly it is
 */
export async function sortInSlices<Item>(items: Item[], compare: Compare<Item>, slices: TimeSlices): Promise<Item[]> {
  if (await isInOrder(items, compare, slices)) return items;
  let runs: Item[][] = [];
  for (let begin = 0; begin < items.length; begin += itemsBetweenChecks) {
    runs.push(items.slice(begin, begin + itemsBetweenChecks).sort(compare));
    if (slices.spent) await slices.pause();
  }
  while (runs.length > 1) {
    const longer: Item[][] = [];
    for (let index = 0; index < runs.length; index += 2) {
      longer.push(await merge(runs[index]!, runs[index + 1] ?? [], compare, slices));
    }
    runs = longer;
  }
  return runs[0]!;
}
