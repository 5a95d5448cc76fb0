import { SnapshardError } from '../errors.js';
import { sortInSlices } from '../layout/sliced_sort.js';
import type { TimeSlices } from '../layout/time_slices.js';
import { quote } from '../tensor/describe.js';
import { type SourceTable, SourceKind } from '../tensor/source.js';

/** Offsets of device memory count from the last multiple of this before it: they stay safe integers. */
const addressBits = 48;

/** Which memory each source is, and where in it the source begins: sources of one buffer have one number. */
interface Places {
  readonly memory: Uint32Array;
  readonly begin: Float64Array;
}

const entriesBetweenChecks = 1024;

async function placeSources({ sources, sourceKinds, cudaSources }: SourceTable, slices: TimeSlices): Promise<Places> {
  const numbers = new Map<unknown, number>();
  const begin = new Float64Array(sources.length);
  const memory = new Uint32Array(sources.length);
  for (const [index, source] of sources.entries()) {
    // A lease is a number, which no buffer is equal to.
    let key: unknown = sourceKinds[index] === SourceKind.Shared ? (source as Uint8Array).buffer : source;
    const pointer = cudaSources.get(index)?.pointer;
    if (pointer !== undefined) {
      // All devices share one space of addresses, in which two objects may name the same bytes.
      begin[index] = Number(BigInt.asUintN(addressBits, pointer));
      key = `device ${pointer >> BigInt(addressBits)}`;
    }
    memory[index] = numbers.get(key) ?? numbers.size;
    numbers.set(key, memory[index]);
    if (index % entriesBetweenChecks === 0 && slices.spent) await slices.pause();
  }
  return { memory, begin };
}

function overlap({ tensorSegments }: SourceTable, names: readonly string[], segments: number[]): SnapshardError {
  const [first = '', second = ''] = segments.map(
    (segment) => names[tensorSegments.findIndex((next) => next > segment) - 1] ?? '',
  );
  const whose = first === second ? `Two targets of tensor ${quote(first)}` : `The targets of tensors ${quote(first)} and ${quote(second)}`;
  return new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', `${whose} share memory: give each bytes of its own.`);
}

/**
 * Gives way to the event loop.
 * @param names the tensors of the table
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` where two targets share memory
 */
export async function checkApart(table: SourceTable, names: readonly string[], slices: TimeSlices): Promise<void> {
  const { segmentSource, segmentOffset, segmentBytes } = table;
  const { memory, begin } = await placeSources(table, slices);
  const memoryOf = (segment: number): number => memory[segmentSource[segment]!]!;
  const beginOf = (segment: number): number => begin[segmentSource[segment]!]! + segmentOffset[segment]!;
  const ascending = (left: number, right: number): number =>
    memoryOf(left) - memoryOf(right) || beginOf(left) - beginOf(right);
  const order = await sortInSlices([...segmentBytes.keys()], ascending, slices);
  for (let index = 1; index < order.length; index += 1) {
    if (index % entriesBetweenChecks === 0 && slices.spent) await slices.pause();
    const [before, segment] = [order[index - 1]!, order[index]!];
    if (memoryOf(before) !== memoryOf(segment)) continue;
    if (beginOf(before) + segmentBytes[before]! > beginOf(segment)) {
      throw overlap(table, names, [before, segment].sort((left, right) => left - right));
    }
  }
}
