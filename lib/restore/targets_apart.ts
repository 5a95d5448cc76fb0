import { SnapshardError } from '../errors.js';
import { quote } from '../tensor/describe.js';
import { type SourceTable, SourceKind } from '../tensor/source.js';

/** The memory that an entry of the table is: entries of one buffer have one number. */
function numberMemory({ sources, sourceKinds }: SourceTable): Uint32Array {
  const numbers = new Map<unknown, number>();
  return Uint32Array.from(sources, (source, index) => {
    // A lease is a number, which no buffer is equal to.
    const memory = sourceKinds[index] === SourceKind.Shared ? (source as Uint8Array).buffer : source;
    const number = numbers.get(memory) ?? numbers.size;
    numbers.set(memory, number);
    return number;
  });
}

function overlap({ tensorSegments }: SourceTable, names: readonly string[], segments: number[]): SnapshardError {
  const [first = '', second = ''] = segments.map(
    (segment) => names[tensorSegments.findIndex((next) => next > segment) - 1] ?? '',
  );
  const whose = first === second ? `Two targets of tensor ${quote(first)}` : `The targets of tensors ${quote(first)} and ${quote(second)}`;
  return new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', `${whose} share memory: give each bytes of its own.`);
}

/**
 * @param names the tensors of the table
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` where two targets share memory
 */
export function checkApart(table: SourceTable, names: readonly string[]): void {
  const { segmentSource, segmentOffset, segmentBytes } = table;
  const memory = numberMemory(table);
  const memoryOf = (segment: number): number => memory[segmentSource[segment]!]!;
  const order = Uint32Array.from(segmentBytes, (_, segment) => segment);
  const ascending = (left: number, right: number): number =>
    memoryOf(left) - memoryOf(right) || segmentOffset[left]! - segmentOffset[right]!;
  // Mostly they are in order already.
  if (order.some((segment) => segment > 0 && ascending(segment - 1, segment) > 0)) order.sort(ascending);
  for (let index = 1; index < order.length; index += 1) {
    const [before, segment] = [order[index - 1]!, order[index]!];
    if (memoryOf(before) !== memoryOf(segment)) continue;
    if (segmentOffset[before]! + segmentBytes[before]! > segmentOffset[segment]!) {
      throw overlap(table, names, [before, segment].sort((left, right) => left - right));
    }
  }
}
