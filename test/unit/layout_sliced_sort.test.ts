import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sortInSlices } from '../../lib/layout/sliced_sort.js';
import { TimeSlices } from '../../lib/layout/time_slices.js';

it('a list sorted in slices is as sorted at once, equals in their order', async () => {
  const lists = fc.array(fc.nat(50), { maxLength: 20_000, size: 'max' });
  const compare = (left: [number, number], right: [number, number]): number => left[0] - right[0];
  const check = fc.asyncProperty(lists, async (keys) => {
    const items = keys.map((key, index): [number, number] => [key, index]);
    expect(await sortInSlices([...items], compare, new TimeSlices())).toEqual(items.toSorted(compare));
  });
  await fc.assert(check, { numRuns: 30 });
});
