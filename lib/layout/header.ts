import type { TensorSpec } from '../tensor/tensor.js';
import { dimensionsText, utf8Bytes } from './text.js';

/** Tensor data begins at a multiple of this. */
export const headerAlignmentBytes = 4096;
/** `@huggingface/hub` refuses longer headers; safetensors itself allows four times as much. */
export const headerLimitBytes = 25_000_000;

const lengthWordBytes = 8;
const space = 0x20;
const encoder = new TextEncoder();

const plainMetadata = '{"format":"pt"}';
/** The slices' origins follow, as JSON text inside a JSON string. */
const slicedMetadataStart = '{"format":"pt","DCP_VERSION":"1.0","DCP_SHARDING_INFO":"{';
const slicedMetadataEnd = '}"}';

function paddedBytes(jsonBytes: number): number {
  return Math.ceil((lengthWordBytes + jsonBytes) / headerAlignmentBytes) * headerAlignmentBytes;
}

/** The inside of a JSON string that holds `text`. */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Gathers the slices of one file, in file order, and makes its safetensors header. */
export class HeaderBuilder {
  readonly #sliced: boolean;
  readonly #entries: string[] = [];
  readonly #origins: string[] = [];
  #jsonBytes: number;
  #dataBytes = 0;

  /** @param sliced whether PyTorch DCP must be told where each slice begins */
  constructor(sliced: boolean) {
    this.#sliced = sliced;
    const metadata = sliced ? slicedMetadataStart + slicedMetadataEnd : plainMetadata;
    this.#jsonBytes = `{"__metadata__":${metadata}}`.length;
  }

  /** Bytes of the slices so far. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  /** Adds a slice behind the others; `false`, and nothing is added, if the header would grow beyond its limit. */
  add(spec: TensorSpec): boolean {
    const name = JSON.stringify(spec.name);
    const end = this.#dataBytes + spec.bytes;
    const facts =
      `:{"dtype":"${spec.dtype}","shape":${dimensionsText(spec.shape)},` +
      `"data_offsets":[${this.#dataBytes},${end}]}`;
    const origin = this.#sliced ? escaped(`${name}:{"saved_offsets":${dimensionsText(spec.origin)}}`) : '';
    const commas = this.#sliced && this.#origins.length > 0 ? 2 : 1;
    const jsonBytes = this.#jsonBytes + utf8Bytes(name) + facts.length + utf8Bytes(origin) + commas;
    if (paddedBytes(jsonBytes) >= headerLimitBytes) return false;
    this.#entries.push(name + facts);
    if (this.#sliced) this.#origins.push(origin);
    this.#jsonBytes = jsonBytes;
    this.#dataBytes = end;
    return true;
  }

  /** Length word, JSON, and spaces up to a multiple of 4096 bytes. */
  finish(): Uint8Array {
    const header = new Uint8Array(paddedBytes(this.#jsonBytes)).fill(space);
    new DataView(header.buffer).setBigUint64(0, BigInt(header.length - lengthWordBytes), true);
    encoder.encodeInto(this.#json(), header.subarray(lengthWordBytes));
    return header;
  }

  #json(): string {
    const metadata = this.#sliced ? slicedMetadataStart + this.#origins.join(',') + slicedMetadataEnd : plainMetadata;
    return `{"__metadata__":${[metadata, ...this.#entries].join(',')}}`;
  }
}
