import type { TensorSpec } from '../tensor/tensor.js';
import { JsonBytes } from './json_bytes.js';

/** Tensor data begins at a multiple of this. */
export const headerAlignmentBytes = 4096;
/** `@huggingface/hub` refuses longer headers; safetensors itself allows four times as much. */
export const headerLimitBytes = 25_000_000;

const lengthWordBytes = 8;
const space = 0x20;
const encoder = new TextEncoder();

/** What readers of safetensors look for in `__metadata__`; where tensors are cut, PyTorch DCP in the second. */
export const shardMetadata = { format: 'pt', DCP_VERSION: '1.0' } as const;

const plainStart = encoder.encode(`{"__metadata__":{"format":"${shardMetadata.format}"}`);
/** The slices' origins follow, as JSON text inside a JSON string. */
const slicedMetadata = `${JSON.stringify(shardMetadata).slice(0, -1)},"DCP_SHARDING_INFO":"{`;
const slicedStart = encoder.encode(`{"__metadata__":${slicedMetadata}`);
const slicedEnd = encoder.encode('}"}');
const end = encoder.encode('}');

function paddedBytes(jsonBytes: number): number {
  return Math.ceil((lengthWordBytes + jsonBytes) / headerAlignmentBytes) * headerAlignmentBytes;
}

/** The inside of a JSON string that holds `text`. */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Gathers the slices of one file, in file order, and makes its safetensors header. */
export class HeaderBuilder {
  /** `,"name":{…}` for each slice. */
  readonly #entries = new JsonBytes();
  /** Where PyTorch DCP must be told: where each slice begins, escaped. */
  readonly #origins: JsonBytes | undefined;
  #dataBytes = 0;

  /** @param sliced whether PyTorch DCP must be told where each slice begins */
  constructor(sliced: boolean) {
    this.#origins = sliced ? new JsonBytes() : undefined;
  }

  /** Bytes of the slices so far. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  /** Adds a slice behind the others; `false`, and nothing is added, if the header would grow beyond its limit. */
  add(spec: TensorSpec): boolean {
    const before = { entries: this.#entries.length, origins: this.#origins?.length ?? 0 };
    const dataEnd = this.#dataBytes + spec.bytes;
    this.#entries.raw(',').string(spec.name).raw(':{"dtype":"').raw(spec.dtype).raw('","shape":').integers(spec.shape);
    this.#entries.raw(',"data_offsets":[').integer(this.#dataBytes).raw(',').integer(dataEnd).raw(']}');
    this.#addOrigin(spec);
    if (paddedBytes(this.#jsonBytes()) >= headerLimitBytes) {
      this.#entries.rewind(before.entries);
      this.#origins?.rewind(before.origins);
      return false;
    }
    this.#dataBytes = dataEnd;
    return true;
  }

  /** Length word, JSON, and spaces up to a multiple of 4096 bytes. */
  finish(): Uint8Array {
    const header = new Uint8Array(paddedBytes(this.#jsonBytes())).fill(space);
    new DataView(header.buffer).setBigUint64(0, BigInt(header.length - lengthWordBytes), true);
    let position = lengthWordBytes;
    for (const part of this.#parts()) {
      header.set(part, position);
      position += part.length;
    }
    return header;
  }

  #addOrigin({ name, origin }: TensorSpec): void {
    if (this.#origins === undefined) return;
    if (this.#origins.length > 0) this.#origins.raw(',');
    this.#origins
      .raw(escaped(JSON.stringify(name)))
      .raw(':{\\"saved_offsets\\":')
      .integers(origin)
      .raw('}');
  }

  #parts(): Uint8Array[] {
    const entries = [this.#entries.view(), end];
    return this.#origins === undefined
      ? [plainStart, ...entries]
      : [slicedStart, this.#origins.view(), slicedEnd, ...entries];
  }

  #jsonBytes(): number {
    const frame = this.#origins === undefined ? plainStart.length : slicedStart.length + slicedEnd.length;
    return frame + (this.#origins?.length ?? 0) + this.#entries.length + end.length;
  }
}
