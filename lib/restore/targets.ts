import { SnapshardError } from '../errors.js';
import { cudaOf } from '../memory/cuda_memory.js';
import { leaseOf } from '../memory/lease.js';
import { describe, invalidArgument, quote } from '../tensor/describe.js';
import { visitEntries } from '../tensor/entries.js';
import { checkCarried } from '../tensor/normalize.js';
import { copyDimensions, fillsGlobalShape, tensorBytes, zeroOrigin } from '../tensor/shape.js';
import { changedMemory, type SourceTable } from '../tensor/source.js';
import { SourceCollector } from '../tensor/source_collector.js';
import type { Region } from './boxes.js';
import type { Piece, Wanted } from './plan.js';
import type { Slice, Targets } from './read_types.js';
import type { StoredTensor } from './stored.js';
import { checkApart } from './targets_apart.js';

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

/**
 * Part of a tensor as a caller asked for it; all of it where nothing was asked.
 * @throws {SnapshardError} `INVALID_ARGUMENT`; `SHAPE_MISMATCH` for what does not lie in the tensor
 */
export function checkSlice(tensor: StoredTensor, slice: Partial<Record<keyof Slice, unknown>> | undefined): Region {
  const { name, shape: globalShape } = tensor;
  if (slice !== undefined && (typeof slice !== 'object' || (slice as unknown) === null)) {
    throw invalidArgument(`the slice of tensor ${quote(name)}`, '{ origin, shape }', slice);
  }
  if (slice === undefined || (slice.origin === undefined && slice.shape === undefined)) {
    return { origin: zeroOrigin(globalShape.length), shape: globalShape };
  }
  const origin = copyDimensions(name, 'origin', slice.origin);
  const shape = copyDimensions(name, 'shape', slice.shape);
  fillsGlobalShape(name, { shape, globalShape, origin });
  return { origin, shape };
}

function isSliceTarget(target: unknown): target is Record<string, unknown> {
  return typeof target === 'object' && target !== null && !ArrayBuffer.isView(target) && 'data' in target;
}

function checkProperties(name: string, target: object): void {
  const unknownName = Object.keys(target).find((property) => !sliceProperties.has(property));
  if (unknownName === undefined) return;
  throw invalidArgument(`the target of tensor ${quote(name)}`, 'only the properties data, origin, shape', unknownName);
}

/** Gathers targets, tensor after tensor. */
class TargetCollector {
  readonly #tensorOf: TensorOf;
  readonly #collector = new SourceCollector(leaseOf, usedAsTarget, cudaOf);
  readonly #asked: { readonly tensor: StoredTensor; readonly region: Region }[] = [];
  #bytes = 0;

  constructor(tensorOf: TensorOf) {
    this.#tensorOf = tensorOf;
  }

  add(name: unknown, target: unknown): void {
    const tensor = this.#tensorOf(name);
    const isSlice = isSliceTarget(target);
    if (isSlice) checkProperties(tensor.name, target);
    const region = checkSlice(tensor, isSlice ? target : undefined);
    const needed = tensorBytes(tensor.name, tensor.dtype, region.shape);
    const given = this.#addData(tensor, isSlice ? target.data : target);
    if (given !== needed) throw wrongLength(tensor, region, needed, given);
    this.#collector.endTensor();
    this.#asked.push({ tensor, region });
    this.#bytes += needed;
  }

  finish(): TargetTable {
    const memory = this.#collector.finish();
    const wanted = this.#asked.map(({ tensor, region }, index) => ({
      tensor,
      ...region,
      pieces: piecesOf(memory, index),
    }));
    checkApart(
      memory,
      wanted.map(({ tensor }) => tensor.name),
    );
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
 * Checks the targets of a read.
 * @throws {SnapshardError} `INVALID_ARGUMENT`, `NOT_FOUND` (no such tensor), `DTYPE_MISMATCH`, `SHAPE_MISMATCH`,
 *   `TARGET_DETACHED`, `CLOSED` (disposed memory), naming the tensor
 */
export function collectTargets(targets: Targets, tensorOf: TensorOf): TargetTable {
  const collector = new TargetCollector(tensorOf);
  visitEntries(targets, { argument: 'targets', value: 'target' }, (name, target) => {
    collector.add(name, target);
  });
  return collector.finish();
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
