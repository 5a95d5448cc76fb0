import type { Region } from './boxes.js';
import { FreshMemory } from './fresh_memory.js';
import { asBytes, cutRegions } from './plan_stream.js';
import type { ReadOptions } from './read_options.js';
import type { ReadSource } from './read_source.js';
import type { Reader } from './reader.js';
import type { StoredTensor } from './stored.js';

/** Pieces under way while the caller has another one. */
const piecesAhead = 2;

/** Reads a tensor piece by piece, in C order, a few pieces ahead of the caller. Each piece is memory of its own. */
export async function* streamTensor(
  source: ReadSource,
  reader: Reader,
  tensor: StoredTensor,
  options: ReadOptions & { readonly chunkBytes: number },
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const plain = asBytes(tensor) ?? tensor;
  const abandon = new AbortController();
  const signals = options.signal === undefined ? [abandon.signal] : [abandon.signal, options.signal];
  const pieceOptions = { ...options, signal: AbortSignal.any(signals) };
  const readPiece = async (region: Region): Promise<Uint8Array<ArrayBuffer>> => {
    const memory = new FreshMemory();
    memory.add(plain, region);
    const [piece] = await source.run(() => reader.readFresh(memory, pieceOptions));
    return piece!.data;
  };
  const ahead: Promise<Uint8Array<ArrayBuffer>>[] = [];
  try {
    for (const region of cutRegions(plain, options.chunkBytes)) {
      const piece = readPiece(region);
      piece.catch(() => undefined);
      ahead.push(piece);
      if (ahead.length > piecesAhead) yield await ahead.shift()!;
    }
    while (ahead.length > 0) yield await ahead.shift()!;
  } finally {
    abandon.abort();
    await Promise.allSettled(ahead);
  }
}
