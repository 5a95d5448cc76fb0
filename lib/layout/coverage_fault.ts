import { SnapshardError } from '../errors.js';
import { describe, quote } from '../tensor/describe.js';
import { sameDimensions } from '../tensor/shape.js';
import type { Box, Fault } from './coverage.js';
import type { RankManifest } from './rank_manifest_reader.js';
import { ranksText } from './ranks_text.js';
import type { RankTensor } from './rank_tensors.js';

/** How the slice of a rank lies to what is missing, or there more than once. */
type Place = 'elsewhere' | 'beside' | 'within';

function placeOf({ origin, shape }: RankTensor, box: Box): Place {
  let place: Place = 'within';
  for (const [dimension, { begin, end }] of box.entries()) {
    const sliceBegin = origin[dimension] ?? 0;
    const sliceEnd = sliceBegin + (shape[dimension] ?? 0);
    if (sliceBegin > end || sliceEnd < begin) return 'elsewhere';
    if (sliceBegin === end || sliceEnd === begin) place = 'beside';
  }
  return place;
}

/** What is wrong with a tensor, before it is known which ranks that is about. */
export class CoverageFault {
  readonly #name: string;
  readonly #globalShape: readonly number[];
  readonly #fault: Fault;

  constructor(name: string, globalShape: readonly number[], fault: Fault) {
    this.#name = name;
    this.#globalShape = globalShape;
    this.#fault = fault;
  }

  /** @returns an error that names those that hold a part twice, or what lies beside a gap */
  async explain(manifests: AsyncIterable<RankManifest>): Promise<SnapshardError> {
    const ranks: Record<Place, Set<number>> = { within: new Set(), beside: new Set(), elsewhere: new Set() };
    for await (const { rank, tensors } of manifests) {
      for (const tensor of tensors) {
        if (tensor.name !== this.#name) continue;
        ranks[tensor.shape.includes(0) ? 'elsewhere' : placeOf(tensor, this.#fault.box)].add(rank);
      }
    }
    if (this.#fault.kind === 'overlap') return this.#overlap([...ranks.within]);
    return this.#gap([...(ranks.beside.size > 0 ? ranks.beside : ranks.elsewhere)], ranks.beside.size > 0);
  }

  #overlap(ranks: readonly number[]): SnapshardError {
    const entire = sameDimensions(
      this.#globalShape,
      this.#fault.box.map(({ begin, end }) => end - begin),
    );
    const where = entire ? '' : ` at ${this.#range}`;
    const remedy = 'Declare `replicas` where ranks hold the same bytes, or give each rank a slice of its own.';
    return this.#error(`is there more than once${where}: ${ranksText(ranks)} saved it. ${remedy}`, ranks);
  }

  #gap(ranks: readonly number[], beside: boolean): SnapshardError {
    const others = `${beside ? 'What lies beside it is' : 'All that there is of the tensor is'} of ${ranksText(ranks)}`;
    return this.#error(`lacks ${this.#range}, which no rank saved. ${others}.`, ranks);
  }

  #error(what: string, ranks: readonly number[]): SnapshardError {
    const message = `Tensor ${quote(this.#name)} of globalShape ${describe(this.#globalShape)} ${what}`;
    return new SnapshardError('ERR_SNAPSHARD_INCOMPLETE_TENSOR', message, { ranks });
  }

  get #range(): string {
    return `[${this.#fault.box.map(({ begin, end }) => `${begin}:${end}`).join(', ')}]`;
  }
}
