import { createHash } from 'node:crypto';

/**
 * The same items in an order that the seed decides: so nothing that comes at regular times, such as a disk's own
 * housekeeping, always meets the same item.
 */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  return items
    .map((item, index) => ({ item, key: createHash('sha256').update(`${seed}:${index}`).digest('hex') }))
    .toSorted((left, right) => (left.key < right.key ? -1 : 1))
    .map(({ item }) => item);
}
