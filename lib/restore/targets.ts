import { SnapshardError } from '../errors.js';
import type { TimeSlices } from '../layout/time_slices.js';
import { leaseOf } from '../memory/lease.js';
import { describe, invalidArgument, quote } from '../tensor/describe.js';
import { checkCarried } from '../tensor/normalize.js';
import { tensorBytes } from '../tensor/shape.js';
import { changedMemory, type CudaOf, type SourceTable } from '../tensor/source.js';
import { SourceCollector } from '../tensor/source_collector.js';
import type { Region } from './boxes.js';
import type { Piece, Wanted } from './plan.js';
import { checkSlice } from './slice_argument.js';
import type { StoredTensor } from './stored.js';
import { checkApart } from './targets_apart.js';
import type { TakenSlice, TakenTargets } from './targets_taken.js';

/** Tensors by name; throws for one that is not there. */
export type TensorOf = (name: unknown) => StoredTensor;

/** What is wanted, and the memory that it goes to. */
export interface TargetTable {
  readonly wanted: readonly Wanted[];
  readonly memory: SourceTable;
  /** Of all that is wanted. */
  readonly bytes: number;
}

const usedAsTarget = {
  expected: 'an ArrayBuffer, a SharedArrayBuffer, a view, a lease, a CudaMemory, or a list of these,',
  detached: 'ERR_SNAPSHARD_TARGET_DETACHED',
} as const;

const sliceProperties = new Set(['data', 'origin', 'shape']);

const targetsBetweenChecks = 256;

function checkProperties(name: string, properties: readonly string[]): void {
  const unknownName = properties.find((property) => !sliceProperties.has(property));
  if (unknownName === undefined) return;
  throw invalidArgument(`the target of tensor ${quote(name)}`, 'only the properties data, origin, shape', unknownName);
}

/** Gathers targets, tensor after tensor. */
class TargetCollector {
  readonly #tensorOf: TensorOf;
  readonly #slices: TimeSlices;
  readonly #collector: SourceCollector;
  readonly #asked: { readonly tensor: StoredTensor; readonly region: Region }[] = [];
  #bytes = 0;

  constructor(tensorOf: TensorOf, cudaOf: CudaOf, slices: TimeSlices) {
    this.#tensorOf = tensorOf;
    this.#slices = slices;
    this.#collector = new SourceCollector(leaseOf, usedAsTarget, cudaOf);
  }

  add(name: unknown, data: unknown, part: TakenSlice | undefined): void {
    const tensor = this.#tensorOf(name);
    if (part !== undefined) checkProperties(tensor.name, part.properties);
    const region = checkSlice(tensor, part?.slice);
    const needed = tensorBytes(tensor.name, tensor.dtype, region.shape);
    const given = this.#addData(tensor, data);
    if (given !== needed) throw wrongLength(tensor, region, needed, given);
    this.#collector.endTensor();
    this.#asked.push({ tensor, region });
    this.#bytes += needed;
  }

  async finish(): Promise<TargetTable> {
    const memory = this.#collector.finish();
    const wanted: Wanted[] = [];
    const names: string[] = [];
    for (const [index, { tensor, region }] of this.#asked.entries()) {
      wanted.push({ tensor, origin: region.origin, shape: region.shape, pieces: piecesOf(memory, index) });
      names.push(tensor.name);
      if (index % targetsBetweenChecks === 0 && this.#slices.spent) await this.#slices.pause();
    }
    await checkApart(memory, names, this.#slices);
    return { wanted, memory, bytes: this.#bytes };
  }

  #addData({ name, dtype }: StoredTensor, data: unknown): number {
    const parts: readonly unknown[] = Array.isArray(data) ? data : [data];
    let bytes = 0;
    for (const part of parts) {
      checkCarried(name, dtype, part);
      bytes += this.#collector.addPart(name, part);
    }
    return bytes;
  }
}

function wrongLength({ name, dtype }: StoredTensor, { shape }: Region, needed: number, given: number): SnapshardError {
  return new SnapshardError(
    'ERR_SNAPSHARD_SHAPE_MISMATCH',
    `Expected a target of ${needed} bytes for tensor ${quote(name)} (${dtype}, shape ${describe(shape)}) but received ` +
      `one of ${given} bytes.`,
  );
}

function piecesOf(memory: SourceTable, index: number): Piece[] {
  const pieces: Piece[] = [];
  let begin = 0;
  for (let segment = memory.tensorSegments[index]!; segment < memory.tensorSegments[index + 1]!; segment += 1) {
    const end = begin + memory.segmentBytes[segment]!;
    pieces.push({ begin, end, target: memory.segmentSource[segment]!, offset: memory.segmentOffset[segment]! });
    begin = end;
  }
  return pieces;
}

/**
 * Checks the targets of a read, giving way to the event loop.
 * @throws {SnapshardError} `INVALID_ARGUMENT`, `NOT_FOUND` (no such tensor), `DTYPE_MISMATCH`, `SHAPE_MISMATCH`,
 *   `TARGET_DETACHED`, `CLOSED` (disposed memory), naming the tensor
 */
export async function collectTargets(
  taken: TakenTargets,
  tensorOf: TensorOf,
  slices: TimeSlices,
): Promise<TargetTable> {
  const collector = new TargetCollector(tensorOf, (value) => taken.cuda.get(value), slices);
  let count = 0;
  for (const { name, data, part } of taken) {
    collector.add(name, data, part);
    count += 1;
    if (count % targetsBetweenChecks === 0 && slices.spent) await slices.pause();
  }
  return await collector.finish();
}

/** Tells whether JavaScript has detached or resized a target since it was checked. */
export function changedTarget(memory: SourceTable): SnapshardError | undefined {
  const changed = changedMemory(memory);
  if (changed === undefined) return undefined;
  const { tensor, what } = changed;
  const message =
    `The buffer that tensor ${quote(tensor)} was read into ${what} before the read had ended. ` +
    'Leave the targets alone until it has.';
  return new SnapshardError('ERR_SNAPSHARD_TARGET_DETACHED', message);
}
